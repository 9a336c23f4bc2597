"""The kustomization that is applied: deploy/k8s and deploy/istio as they are, with this site's tag and components."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from deploy.kind.commands import Failed
from deploy.kind.settings import ROOT

SERVICES = ("user", "chat")
# Where components are, each a folder of its name.
COMPONENTS = (ROOT / "deploy" / "components", ROOT / "deploy" / "observability")
# The pods' templates carry the ID of their image, so that what was built anew under the same tag is rolled out.
ANNOTATION = "localmesh.dev/image-id"


def kustomization(
    folder: Path,
    tag: str,
    components: Sequence[str],
    image_ids: Mapping[str, str],
    other_tags: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """The kustomization for `folder`, which names the bundle by relative paths. Raises Failed for no such component.

    `tag` is of our images, `other_tags` of the repositories of others where they differ from what the bundle names.
    """
    tags = {f"localmesh/{service}": tag for service in SERVICES} | dict(other_tags)
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [_relative(ROOT / "deploy" / name, folder) for name in ("k8s", "istio")],
        "components": [_relative(each, folder) for each in component_folders(components)],
        "images": [{"name": name, "newTag": each} for name, each in tags.items()],
        "patches": [_marked(service, image_ids[service]) for service in SERVICES if service in image_ids],
    }


def known_components() -> dict[str, Path]:
    """The components that can be asked for, by name."""
    files = (file for parent in COMPONENTS for file in parent.glob("*/kustomization.yaml"))
    return {file.parent.name: file.parent for file in sorted(files)}


def component_folders(names: Sequence[str]) -> list[Path]:
    """The folders of these components, before them what several of them share. Raises Failed for no such component."""
    known = known_components()
    for name in names:
        if name not in known:
            raise Failed(f"there is no component {name!r}\n  one of: {', '.join(sorted(known))}")
    folders = [known[name] for name in dict.fromkeys(names)]
    shared = {each.parent for each in folders if (each.parent / "kustomization.yaml").is_file()}
    return [*sorted(shared), *folders]


def written(folder: Path, content: Mapping[str, Any]) -> Path:
    """The folder, with this kustomization in it. JSON is YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "kustomization.yaml").write_text(json.dumps(content, indent=2) + "\n")
    return folder


def _relative(path: Path, start: Path) -> str:
    return os.path.relpath(path, start)


def _marked(service: str, image_id: str) -> dict[str, Any]:
    # Merged, beside what components annotate; the name gives way to the target.
    template = {"metadata": {"annotations": {ANNOTATION: image_id}}}
    patch = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": service},
        "spec": {"template": template},
    }
    return {"target": {"kind": "Deployment", "labelSelector": f"app={service}"}, "patch": json.dumps(patch)}
