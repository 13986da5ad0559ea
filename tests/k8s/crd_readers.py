"""Reads JSON schemas of custom resources out of packages that contain them as types of a language.

Each reader gets an unpacked package and gives the schema of one kind. Objects are closed: a field
that a type does not list is an error. Types of Kubernetes itself become references to its schemas.
"""

import ast
import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pydantic

Schema = dict[str, Any]

DEFINITIONS = "/api/_definitions.json"
KUBERNETES = f"{DEFINITIONS}#/$defs/"
"""As the schemas of Kubernetes refer to its types."""
METADATA = {"$ref": f"{KUBERNETES}io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"}
_MODULES = ("__future__", "typing", "pydantic")


def from_pydantic(file: Path, kind: str) -> Schema:
    """The schema of a Pydantic model: of its fields, without its methods and nested classes."""
    tree = ast.parse(file.read_text())
    tree.body = [ast.parse("from __future__ import annotations").body[0], *_declarations(tree)]
    namespace: dict[str, Any] = {"__name__": __name__, "BaseModel": _Closed, "Resource": _Closed}
    namespace["ObjectMeta"] = _ObjectMeta
    exec(compile(tree, file, "exec"), namespace)
    model: type[pydantic.BaseModel] = namespace[kind]
    model.model_rebuild(_types_namespace=namespace)
    return _plain(model.model_json_schema())


class _Closed(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", protected_namespaces=())


class _ObjectMeta(pydantic.BaseModel):
    """Stands for the metadata of every kind, which Kubernetes's own schemas describe."""


def _declarations(tree: ast.Module) -> Iterator[ast.stmt]:
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and statement.module in _MODULES:
            yield statement
        elif isinstance(statement, ast.ClassDef):
            statement.body = [each for each in statement.body if _is_field(each)] or [ast.Pass()]
            yield ast.fix_missing_locations(statement)


def _is_field(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.AnnAssign | ast.Assign)


def _plain(schema: Any) -> Any:
    """Without titles, texts, defaults and null, which are no rules for a manifest."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if not _is_text(key, value)}
    if {"type": "null"} in kept.get("anyOf", ()):
        options = [each for each in kept.pop("anyOf") if each != {"type": "null"}]
        kept |= options[0] if len(options) == 1 else {"anyOf": options}
    return {key: _plain(value) for key, value in kept.items()}


def _is_text(key: str, value: object) -> bool:
    return (key in ("title", "description") and isinstance(value, str)) or (
        key == "default" and not isinstance(value, dict)
    )


_OPENAPI = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}


def from_openapi_classes(folder: Path, kind: str) -> Schema:
    """The schema of a class by OpenAPI's generator for Python, whose attributes name the types."""
    classes = {}
    for file in folder.glob("*.py"):
        for statement in ast.parse(file.read_text()).body:
            if isinstance(statement, ast.ClassDef):
                classes[statement.name] = _assigned(statement)
    return _collect(kind, lambda name: _openapi_object(classes, name))


def _assigned(statement: ast.ClassDef) -> dict[str, dict[str, str]]:
    return {
        target.id: ast.literal_eval(each.value)
        for each in statement.body
        if isinstance(each, ast.Assign)
        for target in each.targets
        if isinstance(target, ast.Name)
    }


def _openapi_object(classes: dict[str, dict[str, dict[str, str]]], name: str) -> Schema:
    if name not in classes:
        return _of_kubernetes(name)
    keys, types = classes[name]["attribute_map"], classes[name]["openapi_types"]
    return _object({keys[field]: _openapi_type(text) for field, text in types.items()}, ())


def _openapi_type(text: str) -> Schema:
    if each := re.fullmatch(r"list\[(.*)\]", text):
        return {"type": "array", "items": _openapi_type(each[1])}
    if each := re.fullmatch(r"dict\(str, (.*)\)", text):
        return {"type": "object", "additionalProperties": _openapi_type(each[1])}
    if text == "object":
        return {}
    return {"type": _OPENAPI[text]} if text in _OPENAPI else _reference(text)


def _of_kubernetes(name: str) -> Schema:
    """A type of another project: V1Container is Kubernetes's, and a stranger's is open."""
    if name == "V1ObjectMeta":
        return METADATA
    if name.endswith("Quantity"):
        return {"$ref": f"{KUBERNETES}io.k8s.apimachinery.pkg.api.resource.Quantity"}
    if own := re.fullmatch(r"V1([A-Z]\w*)", name):
        return {"$ref": f"{KUBERNETES}io.k8s.api.core.v1.{own[1]}"}
    if own := re.fullmatch(r"K8sIoApi(Apps|Autoscaling)V(\d)(\w+)", name):
        return {"$ref": f"{KUBERNETES}io.k8s.api.{own[1].lower()}.v{own[2]}.{own[3]}"}
    return {"type": "object"}


_FIELD = re.compile(r'^ {4}"([^"]+)"(\??): ((?:[^{};]|\{[^{}]*\})+);$', re.M)
"""The name, the mark of an optional one, and the type, which may be an object."""


def from_typescript(folder: Path, kind: str) -> Schema:
    """The schema of a class of the packages kubernetes-models, with a file for each type."""
    return _collect(kind, lambda name: _declared(folder, name))


def _declared(folder: Path, name: str) -> Schema:
    file = folder / f"{name}.d.ts"
    if not file.exists():
        return METADATA if name == "ObjectMeta" else {"type": "object"}
    source = re.sub(r"/\*.*?\*/", "", file.read_text(), flags=re.S)
    if alias := re.search(rf"^export type I{name} = (.*?);$", source, re.M):
        return _typescript_type(alias[1]) | _limits(folder, name)
    # The class, unlike the interface, lists the fields that it inherits, too.
    body = re.search(rf"^export declare class {name} (.*?)^}}", source, re.M | re.S)
    assert body is not None, f"{file} has no class {name}"
    fields = _FIELD.findall(body[1])
    return _object(
        {field: _typescript_type(text) for field, _, text in fields},
        [field for field, optional, _ in fields if not optional],
    )


def _typescript_type(text: str) -> Schema:
    text = text.strip()
    if each := re.fullmatch(r"Array<(.*)>", text, re.S):
        return {"type": "array", "items": _typescript_type(each[1])}
    if each := re.fullmatch(r"\{\s*\[key: string\]: (.*?);\s*\}", text, re.S):
        return {"type": "object", "additionalProperties": _typescript_type(each[1])}
    if re.fullmatch(r'(("[^"]*"|\d+)( \| )?)+', text):
        return {"enum": json.loads(f"[{text.replace(' | ', ', ')}]")}
    if text in ("string", "number", "boolean"):
        return {"type": text}
    name = re.fullmatch(r"IIo\w+?V\d(?:(?:alpha|beta)\d)?([A-Z]\w*)", text)
    assert name is not None, f"cannot read the type {text}"
    return _reference(name[1])


def _limits(folder: Path, name: str) -> Schema:
    """The limits of a text or number, from the program that checks it."""
    names = {"pattern": "pattern", "minLength": "limit", "maxLength": "limit"}
    names |= {"minimum": "limit", "maximum": "limit"}
    (file,) = (folder.parents[1] / "_schemas").glob(f"Io*ApisV1{name}.js")
    found = re.findall(r'schemaPath:"#/(\w+)",keyword:"\w+",params:(\{.*?\})\}', file.read_text())
    return {
        keyword: json.loads(re.sub(r"([{,])(\w+):", r'\1"\2":', text))[names[keyword]]
        for keyword, text in found
        if keyword in names
    }


def _object(properties: Schema, required: Iterable[str]) -> Schema:
    properties.pop("status", None)
    found = {"type": "object", "properties": properties, "additionalProperties": False}
    return found | ({"required": list(required)} if required else {})


def _reference(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _collect(kind: str, read: Any) -> Schema:
    """A schema and the definitions of all types that it names."""
    schema: Schema = read(kind)
    found: dict[str, Schema] = {}
    missing = list(_named(schema))
    while missing:
        name = missing.pop()
        if name not in found:
            found[name] = read(name)
            missing += _named(found[name])
    return schema | {"$defs": dict(sorted(found.items()))}


def _named(schema: Schema) -> list[str]:
    return re.findall(r'"\$ref": "#/\$defs/(\w+)"', json.dumps(schema))
