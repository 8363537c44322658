"""What the differences mean, a sentence each. How often each was seen is counted when the page is made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Finding:
    """`topics`: the inputs that show it."""

    topics: tuple[str, ...]
    says: str


THEIRS: Final = (
    Finding(
        ("document",),
        "A PDF: LiteLLM turns `document`, `file` and `input_file` into each other, which all three vendors "
        "take. Pointsman passes the target over (`file`) and says so: nothing is lost, but nothing is "
        "answered by that target either.",
    ),
    Finding(
        ("hosted",),
        "A web search that the vendor runs: LiteLLM asks the other vendor for its own kind of search. "
        "Pointsman passes the target over (`hosted-tool`), as another vendor's search is another tool with "
        "other terms.",
    ),
    Finding(
        ("tier", "cache-key", "verbosity"),
        "`service_tier`, `prompt_cache_key`, `verbosity` from chat to Responses at OpenAI, which has them in "
        "both: LiteLLM hands them on. Pointsman drops them and names them in the decision header. The other "
        "way round neither of the two hands them on.",
    ),
    Finding(
        ("free-tool",),
        "A free-text (`custom`) tool between chat and Responses at OpenAI, which has it in both: from chat "
        "LiteLLM hands it on, where Pointsman makes a function of one string of it; from Responses both make "
        "a function. From chat for Anthropic LiteLLM answers with 500, Pointsman makes a function.",
    ),
    Finding(
        ("cache-marks-here",),
        "`cache_control` on a part of a chat message for Anthropic, an extension of chat that OpenRouter and "
        "LiteLLM have: LiteLLM hands it on, Pointsman leaves it out.",
    ),
    Finding(
        ("cited",),
        "Citations of the web in an answer of Responses: LiteLLM tells a chat client of them in "
        "`annotations`, though in the shape that Responses has for them. Pointsman leaves them out. A "
        "Messages client is told by neither.",
    ),
)
NEITHER: Final = (
    Finding(
        ("metadata", "metadata-here", "tier-here", "verbosity-here"),
        "`metadata` between chat and Responses at OpenAI, and `service_tier` and `verbosity` from Responses "
        "to chat: the vendor has them in both, and neither gateway hands them on. Pointsman names them in the"
        " header.",
    ),
)
OURS: Final = (
    Finding(
        ("separator", "next-line", "wild"),
        "A line separator (U+2028) or next line (U+0085) in a stream of Anthropic's: LiteLLM reads it as the "
        "end of a line of the stream, loses all that follows, and ends the answer as if it were whole, with "
        "tokens of its own count.",
    ),
    Finding(
        ("reasoning", "own-think", "thought-call"),
        "Thoughts for a Responses client: LiteLLM's `reasoning` item has no `summary`, which the schema "
        "requires, and tells them as `output_text`; who reads `summary` by the SDK's types finds None. For a "
        "chat client that streams, its `thinking_blocks` in the delta have no `index`, and the OpenAI SDK's "
        "stream helper raises. It also reports reasoning tokens that it has estimated.",
    ),
    Finding(
        ("seals", "hidden"),
        "A signature that must go back to its maker: by LiteLLM it comes back from chat clients that do not "
        "stream, and from Messages clients; a chat client's stream helper and a Responses client fail on the "
        "first answer, as above.",
    ),
    Finding(
        ("raw-thoughts",),
        "Thoughts that Responses tells as `reasoning_text`, as servers of open models do: LiteLLM leaves them out.",
    ),
    Finding(
        ("woven",),
        "Calls of chat whose arguments grow in turns, by their index: for a Messages client LiteLLM writes "
        "the pieces of both into one block, so that no argument is JSON.",
    ),
    Finding(
        ("history",),
        "An assistant's words before its calls, from Messages to Responses: LiteLLM puts the calls before the words.",
    ),
    Finding(
        ("must",),
        "`disable_parallel_tool_use` of a Messages client: LiteLLM drops it, without a word, for OpenAI.",
    ),
    Finding(
        ("allowed",),
        "`allowed_tools`: Pointsman maps it, or leaves the other tools out; LiteLLM refuses it.",
    ),
    Finding(
        ("two-failures",),
        "`is_error` of a tool's result, for OpenAI, which has no such field: LiteLLM drops it; Pointsman "
        "writes `Error: ` before the words.",
    ),
    Finding(
        ("stop",),
        "Stop sequences for Responses, which has none: LiteLLM drops them without a word and the answer goes "
        "on past them. Pointsman passes the target over.",
    ),
    Finding(
        ("several",),
        "`n: 2` for Responses, which gives one answer: LiteLLM asks for one and says nothing. Pointsman "
        "passes it over.",
    ),
    Finding(
        ("kept",),
        "`store`: Responses keeps what it is not told to forget, chat and Messages do not. LiteLLM says "
        "nothing, so OpenAI keeps each request of such a client; Pointsman says `store: false`.",
    ),
    Finding(
        ("loose-tool",),
        "A tool of chat's without `strict`: chat takes that for false, Responses for true, under which OpenAI"
        " refuses a schema with optional fields. LiteLLM says nothing from chat (from Messages it does), "
        "Pointsman `strict: false`.",
    ),
    Finding(
        ("filter",),
        "An answer that OpenAI has filtered (`incomplete`, `content_filter`), for a Messages client: LiteLLM "
        "says `max_tokens`, so that an agent goes on; Pointsman says `refusal`.",
    ),
    Finding(
        ("full-window",),
        "`model_context_window_exceeded` of Anthropic's, for clients of OpenAI's dialects: LiteLLM says "
        "`stop`, as if the answer were whole; Pointsman says `length`.",
    ),
    Finding(
        ("refusal",),
        "Words by which OpenAI's model refuses (`refusal`): LiteLLM leaves them out between chat and "
        "Responses, and in a stream for Messages, whose client gets an empty answer that ended well.",
    ),
    Finding(
        ("empty-words",),
        'A call without arguments in a chat history (`""`): LiteLLM hands Responses an empty string, which is no JSON.',
    ),
    Finding(
        ("assistant-first",),
        "A conversation that the assistant begins: LiteLLM hands it to Anthropic as it is, whose first turn "
        "is the user's; Pointsman puts a user's turn before it.",
    ),
    Finding(
        ("prefill",),
        "An answer that a Messages client has begun: OpenAI does not go on with it, but begins another. "
        "LiteLLM sends it; Pointsman passes the target over.",
    ),
    Finding(
        ("audio",),
        "Sound of a chat client for Anthropic, which takes none: LiteLLM leaves it out and asks about the "
        "rest. Pointsman passes the target over.",
    ),
    Finding(
        ("any-json",),
        "`json_object` for Anthropic, which has JSON by a schema alone: LiteLLM leaves it out; Pointsman "
        "passes it over.",
    ),
    Finding(
        ("logprobs",),
        "Log probabilities of chat at Responses: LiteLLM sets `top_logprobs` but not the `include` without "
        "which none come. Pointsman passes the target over.",
    ),
    Finding(
        ("hot", "both-knobs", "thinks-warm", "thinks-forced", "blank-stop", "top-k", "many-stops"),
        "Values that the vendor refuses with 400: a temperature above 1, with `top_p` or while it thinks, a "
        "forced tool while it thinks, a stop sequence of white space, at Anthropic; `top_k` and five stop "
        "sequences at OpenAI. LiteLLM hands them on; Pointsman leaves knobs out and names them, and passes "
        "over what it may not leave out.",
    ),
    Finding(
        ("seed", "penalties", "foreign-knobs"),
        "Knobs that Anthropic does not have: as it comes, LiteLLM refuses the request (with `drop_params` it "
        "drops them without a word). Pointsman drops them and names them.",
    ),
    Finding(
        ("state",),
        "A `previous_response_id` that nobody knows, for a target that keeps none: LiteLLM answers without "
        "the conversation, Pointsman refuses.",
    ),
    Finding(
        ("error-limited", "error-overloaded"),
        "`Retry-After` of a vendor's 429 and 529: LiteLLM tells it as `llm_provider-retry-after`, which no "
        "client looks for, and Anthropic's 529 becomes 500 for clients of OpenAI's dialects.",
    ),
    Finding(
        ("error-unpaid",),
        "A vendor's 401, which is about the gateway's key: LiteLLM hands it to the client with the vendor's "
        "words. No vendor's rule, but the client cannot mend it; Pointsman says 503 and keeps the words back.",
    ),
)
EITHER: Final = (
    Finding(
        ("parallel", "woven"),
        "Whether a default (`parallel_tool_calls: true`) is said or left unsaid.",
    ),
    Finding(
        ("unlimited",),
        "The limit for Anthropic where the client has none: the model's by either gateway's list.",
    ),
    Finding(
        ("own-schema",),
        "A JSON schema at Anthropic: `output_config.format` by Pointsman, the older `output_format` by "
        "LiteLLM; and the name for a schema that has none.",
    ),
    Finding(
        ("failed",),
        "A tool's words of failure with or without `Error: ` before them.",
    ),
    Finding(
        ("mid-system",),
        "An instruction in mid-conversation: where and in which role; it is there by both.",
    ),
    Finding(
        ("result-image",),
        "A picture as a tool's result for chat: in a message of the user's that follows, by both.",
    ),
    Finding(
        ("two-turns",),
        "Two turns of the user in a row: one message with both, or two.",
    ),
    Finding(
        ("effort", "effort-older", "no-thinking", "reasoning", "own-think", "seals", "hidden", "thought-call"),
        "How much a budget of tokens is in words, and `display: summarized` where it is the default.",
    ),
    Finding(
        ("bare-tool",),
        "The parameters of a function that has none: an empty schema, or null.",
    ),
    Finding(
        ("error-unknown-model", "error-down", "error-bad-request", "error-too-long"),
        "503 or the vendor's own status, with the reason: Pointsman's error names each attempt.",
    ),
    Finding(
        ("late-error", "cut"),
        "An error or a cut in mid-answer: both tell the client. Where nothing has been sent yet, Pointsman "
        "asks again and answers with a status.",
    ),
    Finding(
        ("silent",),
        "An answer without words: handed on, or taken for a failure.",
    ),
)
SECTIONS: Final = (
    ("Where LiteLLM is right, or carries more", THEIRS),
    ("Where neither is right", NEITHER),
    ("Where Pointsman is right", OURS),
    ("Where either will do", EITHER),
)
