"""OpenAI: ids, and a key that was taken."""

from pointsman.served import Answer, ServedModel
from pointsman.vendors import openai


def test_the_list_has_ids_and_proves_the_key() -> None:
    """Nothing else is told of a model."""
    found = openai.read({"/v1/models": Answer(200, b'{"data":[{"id":"gpt-5","object":"model","owned_by":"openai"}]}')})
    assert found.models == (ServedModel("gpt-5"),)
    assert found.credentials_valid


def test_it_is_the_vendor_itself() -> None:
    """Requests keep vendor-only fields, and probes come seldom."""
    assert (openai.KIND.native, openai.KIND.hosted, openai.KIND.auth) == (True, True, "Bearer")
