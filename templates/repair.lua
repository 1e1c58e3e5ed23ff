-- Called for every record. Gives back the wanted document; nothing leaves the record out; ctx.reject(reason) refuses it,
-- ctx.delete() deletes it. No clock, no chance, no files: the same record gives the same bytes on every machine.

local TIERS = { "bronze", "silver", "gold", "platinum" }

-- The whole name of a tier that has lost its end; nil where there is none.
local function whole(cut)
  for _, tier in ipairs(TIERS) do
    if #cut >= 3 and tier:sub(1, #cut) == cut then return tier end
  end
end

function transform(doc, ctx)
  if doc.tier then
    local tier = whole(doc.tier)
    if not tier then return ctx.reject("no tier begins with '" .. doc.tier .. "'") end
    doc.tier = tier
  end
  if #doc.address.zip == 4 then
    doc.address.zip = "0" .. doc.address.zip
  end
  return doc
end
