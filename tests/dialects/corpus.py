"""Streams as real servers send them, cut down: what each frame means for the commit point.

From vLLM 0.32, llama.cpp, Ollama 0.17 and LiteLLM 1.106. Each is a list of (frame, meaning): P preamble, O output,
T terminal, C of a call, which is held from there on.
"""

from __future__ import annotations

CHAT = {
    "vllm": [
        ('data: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}],"prompt_token_ids":null}', "P"),
        ('data: {"id":"c","choices":[{"index":0,"delta":{"content":"Hello"},"logprobs":null,"finish_reason":null,"token_ids":null}]}', "O"),
        ('data: {"id":"c","choices":[{"index":0,"delta":{"content":" tiny"},"finish_reason":"length","stop_reason":null}]}', "O"),
        ('data: {"id":"c","choices":[],"usage":{"prompt_tokens":147,"completion_tokens":4}}', "P"),
        ("data: [DONE]", "T"),
    ],
    "vllm-reasoning": [
        ('data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}', "P"),
        ('data: {"choices":[{"index":0,"delta":{"reasoning":"Hm"},"finish_reason":null}]}', "O"),
        ('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}', "P"),
        ("data: [DONE]", "T"),
    ],
    "vllm-tool": [
        ('data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}', "P"),
        ('data: {"choices":[{"index":0,"delta":{"content":null,"tool_calls":[{"id":"t","type":"function","index":0,"function":{"name":"w"}}]}}]}', "C"),
        ('data: {"choices":[{"index":0,"delta":{},"finish_reason":"tool_calls"}]}', "C"),
        ("data: [DONE]", "T"),
    ],
    "llama.cpp": [
        ('data: {"choices":[{"finish_reason":null,"index":0,"delta":{"role":"assistant","content":null}}]}', "P"),
        ('data: {"choices":[{"finish_reason":null,"index":0,"delta":{"content":"Hello"}}]}', "O"),
        ('data: {"choices":[{"finish_reason":"length","index":0,"delta":{}}],"timings":{"cache_n":12}}', "O"),
        ("data: [DONE]", "T"),
    ],
    "ollama": [
        ('data: {"id":"chatcmpl-477","choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"},"finish_reason":null}]}', "O"),
        ('data: {"id":"chatcmpl-477","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":"stop"}]}', "P"),
        ("data: [DONE]", "T"),
    ],
    "litellm": [
        ('data: {"choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}', "P"),
        ('data: {"choices":[{"index":0,"delta":{"content":"Hello"}}]}', "O"),
        ('data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}', "P"),
        ("data: [DONE]", "T"),
    ],
    "spaced": [
        ('data: {"choices": [{"index": 0, "delta": {"content": "say \\"error\\" and finish_reason"}, "finish_reason": null}]}', "O"),
        (": keepalive", "P"),
        ('data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}', "P"),
        ("data: [DONE]", "T"),
    ],
}  # fmt: skip

RESPONSES = {
    "vllm": [
        ('event: response.created\ndata: {"response":{"id":"r","output":[],"error":null},"type":"response.created"}', "P"),
        ('event: response.in_progress\ndata: {"response":{"id":"r","output":[]},"type":"response.in_progress"}', "P"),
        ('event: response.output_item.added\ndata: {"item":{"id":"m","content":[],"type":"message"},"type":"response.output_item.added"}', "P"),
        ('event: response.content_part.added\ndata: {"part":{"text":"","type":"output_text"},"type":"response.content_part.added"}', "P"),
        ('event: response.output_text.delta\ndata: {"delta":"Hello","item_id":"m","type":"response.output_text.delta"}', "O"),
        ('event: response.output_text.done\ndata: {"text":"Hello","type":"response.output_text.done"}', "P"),
        ('event: response.output_item.done\ndata: {"item":{"type":"message"},"type":"response.output_item.done"}', "O"),
        ('event: response.completed\ndata: {"response":{"id":"r","output":[{"type":"message"}]},"type":"response.completed"}', "T"),
    ],
    "llama.cpp": [
        ('event: response.created\ndata: {"type":"response.created","response":{"id":"r","status":"in_progress"}}', "P"),
        ('event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"Hello"}', "O"),
        ('event: response.completed\ndata: {"type":"response.completed","response":{"status":"completed"}}', "T"),
    ],
    "ollama-tool": [
        ('event: response.created\ndata: {"response":{"output":[],"error":null},"type":"response.created"}', "P"),
        ('event: response.output_item.added\ndata: {"item":{"arguments":"","name":"w","type":"function_call"},"type":"response.output_item.added"}', "C"),
        ('event: response.function_call_arguments.delta\ndata: {"delta":"{}","type":"response.function_call_arguments.delta"}', "C"),
        ('event: response.incomplete\ndata: {"response":{"incomplete_details":{"reason":"max_output_tokens"}},"type":"response.incomplete"}', "T"),
    ],
    "litellm": [  # no event lines, and a [DONE]
        ('data: {"type":"response.created","response":{"id":"r"}}', "P"),
        ('data: {"type":"response.output_item.added","item":{"content":[],"type":"message"},"model":"tiny"}', "P"),
        ('data: {"type":"response.output_text.delta","delta":"Hello","model":"tiny"}', "O"),
        ('data: {"type":"response.completed","response":{"output":[{"type":"message"}]}}', "T"),
        ("data: [DONE]", "P"),
    ],
}  # fmt: skip

MESSAGES = {
    "vllm": [
        ('event: message_start\ndata: {"type":"message_start","message":{"id":"c","content":[],"stop_reason":null}}', "P"),
        ('event: content_block_start\ndata: {"type":"content_block_start","content_block":{"type":"text","text":""},"index":0}', "P"),
        ('event: content_block_delta\ndata: {"type":"content_block_delta","delta":{"type":"text_delta","text":"Hello"},"index":0}', "O"),
        ('event: content_block_stop\ndata: {"type":"content_block_stop","index":0}', "P"),
        ('event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"max_tokens"},"usage":{"output_tokens":4}}', "O"),
        ('event: message_stop\ndata: {"type":"message_stop"}', "T"),
    ],
    "anthropic": [
        ('event: message_start\ndata: {"type":"message_start","message":{}}', "P"),
        ('event: ping\ndata: {"type": "ping"}', "P"),
        ('event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}', "P"),
        ('event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}', "O"),
        ('event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"x"}}', "O"),
        ('event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}', "O"),
        ('event: message_stop\ndata: {"type":"message_stop"}', "T"),
    ],
    "ollama-tool": [
        ('event: message_start\ndata: {"type":"message_start","message":{}}', "P"),
        ('event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t","name":"w","input":{}}}', "C"),
        ('event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{}"}}', "C"),
        ('event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"tool_use"}}', "C"),
        ('event: message_stop\ndata: {"type":"message_stop"}', "T"),
    ],
}  # fmt: skip
