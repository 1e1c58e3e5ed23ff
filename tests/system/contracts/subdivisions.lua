-- The parent of AZ-BAB stands in the file as "NX", that of GB-BIR as "GB-ENG": every code gets its country.
function transform(doc, ctx)
    if doc.parent ~= nil and not doc.parent:find("-", 1, true) then
        doc.parent = doc.code:sub(1, 2) .. "-" .. doc.parent
    end
    return doc
end
