from simulator.roads.opendrive import Document


def validate(document: Document) -> list[str]:
    return []
