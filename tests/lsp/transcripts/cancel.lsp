# SPDX-License-Identifier: Apache-2.0
# Cancelled at every stage: while it waits for the model, while that writes, while a person is asked,
# while the editor applies.
client no-annotations
open python "def f(a):\n    return a\n\nx = 1\n"
model loading
--> {"id":1,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
--> {"method":"$/cancelRequest","params":{"id":1}}
<-- {"id":1,"error":{"code":-32800,"message":"cancelled"}}
model ready
--> {"id":2,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
--> {"method":"$/cancelRequest","params":{"id":2}}
<-- {"id":2,"error":{"code":-32800,"message":"cancelled"}}
--> {"id":3,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine writes "```python\n"
--> {"method":"$/cancelRequest","params":{"id":3}}
<-- {"id":3,"error":{"code":-32800,"message":"cancelled"}}

# A late answer of the person, or of the editor, finds nobody.
--> {"id":4,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "```python\ndef f(a):\n    return (a\n```"
<-- {"id":1,"method":"window/showMessageRequest","params":{"type":2,"message":"Improve f: fake, +1 -1 lines; it adds syntax errors. Apply it all the same?","actions":[{"title":"Apply"},{"title":"Discard"}]}}
--> {"method":"$/cancelRequest","params":{"id":4}}
<-- {"id":4,"error":{"code":-32800,"message":"cancelled"}}
<-- {"method":"$/cancelRequest","params":{"id":1}}
--> {"id":1,"result":{"title":"Apply"}}
--> {"id":5,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "Here:\n```python\ndef f(a):\n    return a + 1\n```"
<-- {"id":2,"method":"workspace/applyEdit","params":{"label":"Improve f","edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":12},"end":{"line":1,"character":12}},"newText":" + 1"}]}]},"metadata":{"isRefactoring":true}}}
--> {"method":"$/cancelRequest","params":{"id":5}}
<-- {"id":5,"error":{"code":-32800,"message":"cancelled"}}
<-- {"method":"$/cancelRequest","params":{"id":2}}
--> {"id":2,"result":{"applied":true}}

# Twice, and what is over already.
--> {"method":"$/cancelRequest","params":{"id":5}}
--> {"method":"$/cancelRequest","params":{"id":77}}

# By the token of its progress, that the editor gave.
--> {"id":6,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"explain","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}],"workDoneToken":"mine"}}
<-- {"method":"$/progress","params":{"token":"mine","value":{"kind":"begin","title":"Explain f","cancellable":true}}}
<-- {"method":"$/progress","params":{"token":"mine","value":{"kind":"report","message":"reading"}}}
--> {"method":"window/workDoneProgress/cancel","params":{"token":"mine"}}
<-- {"id":6,"error":{"code":-32800,"message":"cancelled"}}
<-- {"method":"$/progress","params":{"token":"mine","value":{"kind":"end","message":"cancelled"}}}

# A review between two functions.
client status
open python "def f(a):\n    return a\n\ndef g(b):\n    return b\n"
--> {"id":7,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"reviewFile","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "{\"findings\":[]}"
<-- {"method":"textDocument/publishDiagnostics","params":{"uri":"file:///w/a","version":1,"diagnostics":[]}}
--> {"method":"$/cancelRequest","params":{"id":7}}
<-- {"id":7,"error":{"code":-32800,"message":"cancelled"}}

# The model cannot be loaded, then; and work that waits when the editor goes.
model failed
<-- {"method":"window/showMessage","params":{"type":2,"message":"there is no such model file"}}
<-- {"method":"inlined/status","params":{"state":"error","kind":"Error","busy":false,"message":"there is no such model file","model":"fake","backend":"","backendWhy":"","reason":""}}
--> {"id":8,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
<-- {"id":8,"error":{"code":-32803,"message":"there is no such model file"}}
model loading
<-- {"method":"inlined/status","params":{"state":"loading","kind":"Normal","busy":true,"message":"loading fake (0 %)","model":"fake","backend":"","backendWhy":"","reason":"","progress":0}}
--> {"id":9,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
--> {"id":10,"method":"shutdown","params":null}
<-- {"id":9,"error":{"code":-32800,"message":"the server shuts down"}}
<-- {"id":10,"result":null}
