function transform(doc, ctx)
  if not doc.active then return nil end -- nobody asks for them
  return doc
end
