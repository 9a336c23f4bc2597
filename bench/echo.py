"""The least that can answer GetUser: grpc.aio, the contract's messages, and the same reply to every call.

`python -m bench.echo ADDRESS REPLY`, the reply as the hexadecimal of its bytes.
"""

import asyncio
import sys
from typing import Any

import grpc
import grpc.aio

from protos.user.v1 import user_pb2


async def main(address: str, reply: str) -> None:
    """Serves until it is ended."""
    user = user_pb2.User.FromString(bytes.fromhex(reply))

    async def get_user(request: user_pb2.GetUserRequest, context: Any) -> user_pb2.User:
        return user

    handler: Any = grpc.unary_unary_rpc_method_handler(
        get_user, user_pb2.GetUserRequest.FromString, user_pb2.User.SerializeToString
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("user.v1.UserService", {"GetUser": handler})])
    server.add_insecure_port(address)
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
