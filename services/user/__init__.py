"""The user service: who may speak in the chat. `python -m services.user` runs it."""
