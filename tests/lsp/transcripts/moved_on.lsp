# SPDX-License-Identifier: Apache-2.0
# The document has moved on: ContentModified, and no change.
client full
open python "def f(a):\n    return a\n\nx = 1\n"

# While the model writes.
--> {"id":1,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine writes "```python\n"
--> {"method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///w/a","version":2},"contentChanges":[{"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":0}},"text":"\n"}]}}
<-- {"id":1,"error":{"code":-32801,"message":"the document has changed since"}}

# Before it was chosen.
--> {"id":2,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
<-- {"id":2,"error":{"code":-32801,"message":"the document has changed since"}}

# Closed meanwhile.
--> {"id":3,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":2,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
--> {"method":"textDocument/didClose","params":{"textDocument":{"uri":"file:///w/a"}}}
<-- {"id":3,"error":{"code":-32801,"message":"the document was closed"}}

# Not open at all.
--> {"id":4,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":2,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
<-- {"id":4,"error":{"code":-32803,"message":"the document is not open"}}
