"""Keys for the real LiteLLM in our tests, which has no database here: any that begins with sk-judge- is valid (LiteLLM's custom_auth)."""

from litellm.proxy._types import UserAPIKeyAuth


async def user_api_key_auth(request, api_key: str) -> UserAPIKeyAuth:
    if not api_key.startswith("sk-judge-"):
        raise Exception("this key is not known")
    return UserAPIKeyAuth(api_key=api_key)
