"""The two kinds as pydantic models, and the CustomResourceDefinitions made from them."""
