"""The protocol between bot and server as pure code; both sides import it."""
