"""Makes the Python stubs, and the image that `buf lint` and `buf breaking` read.

`buf/validate/validate.proto`, which our contract imports, exists nowhere as a file: its descriptor is taken from the
installed protovalidate, so the annotations are always those that the validator understands.

    python -m protos.generate            # stubs beside the .proto files, and buf/validate at the top
    python -m protos.generate --without-types  # the same without .pyi files: all that a run needs
    python -m protos.generate --image F  # a descriptor image of user/v1 and chat/v1 into F
"""

import argparse
import sys
import tempfile
from importlib import resources
from pathlib import Path

from google.protobuf import descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ["user/v1/user.proto", "chat/v1/chat.proto"]
# Further files of ours that are not part of the published contract.
INTERNAL = ["localmesh/control/control.proto"]
# protoc's plugins: what runs, and what only mypy reads.
RUNTIME, TYPES = ("python", "grpc_python"), ("mypy", "mypy_grpc")
OPTIONS = dict.fromkeys(TYPES, "quiet:")  # else a line for each file


def validate_descriptors() -> bytes:
    """A FileDescriptorSet of buf/validate/validate.proto and what it imports."""
    from protovalidate._gen.buf.validate import validate_pb  # noqa: PLC0415  (its only home; pinned by the lock)

    files = descriptor_pb2.FileDescriptorSet()
    for module in (descriptor_pb2, duration_pb2, timestamp_pb2, field_mask_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    files.file.add().ParseFromString(validate_pb.desc().proto.to_binary())
    return files.SerializeToString()


def run(arguments: list[str]) -> None:
    """Run protoc; its own complaints are the error message."""
    well_known = resources.files("grpc_tools") / "_proto"
    with tempfile.NamedTemporaryFile(suffix=".binpb") as descriptors:
        descriptors.write(validate_descriptors())
        descriptors.flush()
        code = protoc.main(["protoc", f"--descriptor_set_in={descriptors.name}", f"-I{well_known}", *arguments])
    if code:
        sys.exit(code)


def image(root: Path, out: Path) -> None:
    """Write the descriptor image of the published contract as it stands in `root`."""
    out.parent.mkdir(parents=True, exist_ok=True)
    run([f"-I{root / 'protos'}", "--include_imports", "--include_source_info", "-o", str(out), *CONTRACTS])


def stubs(plugins: tuple[str, ...]) -> None:
    """Write the Python stubs of all .proto files beside them."""
    ours = [f"protos/{name}" for name in CONTRACTS] + [name for name in INTERNAL if (ROOT / name).exists()]
    outputs = [f"--{plugin}_out={OPTIONS.get(plugin, '')}{ROOT}" for plugin in plugins]
    run([f"-I{ROOT}", f"--python_out={ROOT}", "buf/validate/validate.proto"])
    run([f"-I{ROOT}", *outputs, *ours])


def main() -> None:
    """Stubs, or with --image the descriptor image."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--image", metavar="FILE", type=Path, help="write a descriptor image instead of stubs")
    parser.add_argument("--without-types", action="store_true", help="no .pyi files beside the stubs")
    asked = parser.parse_args()
    if asked.image:
        image(ROOT, asked.image)
    else:
        stubs(RUNTIME if asked.without_types else RUNTIME + TYPES)


if __name__ == "__main__":
    main()
