# SPDX-License-Identifier: Apache-2.0
# A hover answers at once: signature, documentation, place and size, from the tree; or nothing.
client full
open python "def f(a):\n    \"\"\"Gives a back.\"\"\"\n    return a\n\nx = f(1)\n"
--> {"id":1,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///w/a"},"position":{"line":0,"character":4}}}
<-- {"id":1,"result":{"contents":{"kind":"markdown","value":"```python\ndef f(a):\n```\n\nGives a back.\n\n*function, a line 1, 3 lines*\n"},"range":{"start":{"line":0,"character":4},"end":{"line":0,"character":5}}}}
--> {"id":2,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///w/a"},"position":{"line":4,"character":4}}}
<-- {"id":2,"result":{"contents":{"kind":"markdown","value":"```python\ndef f(a):\n```\n\nGives a back.\n\n*function, a line 1, 3 lines*\n"},"range":{"start":{"line":4,"character":4},"end":{"line":4,"character":5}}}}

# What is no name of a definition, what is outside of the file, and no place at all.
--> {"id":3,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///w/a"},"position":{"line":2,"character":6}}}
<-- {"id":3,"result":null}
--> {"id":4,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///w/a"},"position":{"line":400,"character":90}}}
<-- {"id":4,"result":null}
--> {"id":5,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///w/a"}}}
<-- {"id":5,"error":{"code":-32602,"message":"position must have line and character, both from 0 upwards"}}
--> {"id":6,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///no"},"position":{"line":0,"character":0}}}
<-- {"id":6,"result":null}

# An editor without Markdown gets the same as plain text.
client no-resolve
open python "def f(a):\n    return a\n"
--> {"id":7,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///w/a"},"position":{"line":0,"character":4}}}
<-- {"id":7,"result":{"contents":{"kind":"plaintext","value":"def f(a):\n\nfunction, a line 1, 2 lines\n"},"range":{"start":{"line":0,"character":4},"end":{"line":0,"character":5}}}}

# Off.
--> {"method":"workspace/didChangeConfiguration","params":{"settings":{"hover":"off"}}}
--> {"id":8,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///w/a"},"position":{"line":0,"character":4}}}
<-- {"id":8,"result":null}
