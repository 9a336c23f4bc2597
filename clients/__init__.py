"""A person's command line and chat: plain gRPC to the gateway, knowing the contract and never the mesh behind it.

channel       the gateway: target, token, deadlines, one HTTP/2 connection
spans         a span for each call, its context sent on; tracing decides whether, span_export sends them
tokens, keys  who one is: the signing key made on first use, and tokens minted from it
failure       a failed call in one or two lines, and its exit code
reconnect     which failures of a stream mean "come again", and how long to wait
users, user_import, upload, download, history, watch, room
              what can be done, as functions and values that print nothing
chat, prompt, cli/, demo/
              what a person sees: only here is anything printed
"""
