-- A hash holds text: every field comes as a string, and numbers go back as their text.
local known = { bronze = true, silver = true, gold = true, platinum = true }

function transform(doc, ctx)
  if not doc.tier then return doc end
  doc.tier = doc.tier:lower()
  if not known[doc.tier] then
    return ctx.reject("tier: " .. doc.tier)
  end
  return doc
end
