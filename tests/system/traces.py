"""Made-up people who stand in keys and values, and where in a home their name is found."""

import os

WHO = "Zebedee4711"

# One in ten is refused, by name.
REFUSES = """
function transform(doc, ctx)
  if doc.n % 10 == 7 then return ctx.reject("sevens are not known: " .. doc.who) end
  doc.n = doc.n * 2 + 1
  return doc
end
"""


def key(n):
    return f"{WHO}-{n:05d}"


def holding(stand, what=WHO):
    """The files of the home in whose bytes it stands."""
    found = []
    for folder, _, names in os.walk(stand.path("home")):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                if what.encode() in file.read():
                    found.append(os.path.relpath(path, stand.path("home")))
    return sorted(found)
