"""People sign in at a provider of OpenID Connect; nothing but their roles is taken from it."""
