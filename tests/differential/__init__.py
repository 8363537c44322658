"""Our translation beside LiteLLM's: the same requests, the same scripted vendors, both answers looked into."""
