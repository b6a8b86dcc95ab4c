import json


def read(name):
    return json.loads(name)
