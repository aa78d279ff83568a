"""Points a part of the generated requests at providers that exist.

A random project id is refused at once, and nothing behind that check would ever be reached.
Which requests are pointed is decided by their content, so that every run decides alike.
"""

import json
import zlib

import schemathesis

PROJECT = "5d5b0676-ce0f-4058-b2bf-49af49f61cb5"
PROVIDERS = ["anonymous", "noLogin"]


def choice(value, choices):
    text = json.dumps(value, sort_keys=True, default=str)
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) % choices


def pointed(value):
    # One in four keeps whatever was generated.
    picked = choice(value, 4)
    if not isinstance(value, dict) or "projectId" not in value or picked == 3:
        return value
    provider = PROVIDERS[picked % len(PROVIDERS)]
    routing = {"projectId": PROJECT, "strategy": "simplified", "provider": provider}
    return {**value, **routing}


@schemathesis.hook
def map_body(context, body):
    return pointed(body)


@schemathesis.hook
def map_query(context, query):
    return pointed(query)


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    if path_parameters and "projectId" in path_parameters and choice(path_parameters, 2):
        return {**path_parameters, "projectId": PROJECT}
    return path_parameters
