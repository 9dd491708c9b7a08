# SPDX-License-Identifier: Apache-2.0
# Progress of work: created by us, begun when the editor agrees, and ended whatever happens.
client progress
open python "def f(a):\n    return a\n\nx = 1\n"
--> {"id":1,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
<-- {"id":1,"method":"window/workDoneProgress/create","params":{"token":"inlined-task-1"}}
--> {"id":1,"result":null}
<-- {"method":"$/progress","params":{"token":"inlined-task-1","value":{"kind":"begin","title":"Improve f","cancellable":true,"message":"reading"}}}
engine writes "```python\n"
engine ends "Here:\n```python\ndef f(a):\n    return a + 1\n```"
<-- {"method":"$/progress","params":{"token":"inlined-task-1","value":{"kind":"report","message":"applying"}}}
<-- {"id":2,"method":"workspace/applyEdit","params":{"label":"Improve f","edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":12},"end":{"line":1,"character":12}},"newText":" + 1","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Improve f","needsConfirmation":false,"description":"fake, +1 -1 lines"}}},"metadata":{"isRefactoring":true}}}
--> {"id":2,"result":{"applied":true}}
<-- {"id":1,"result":null}
<-- {"method":"$/progress","params":{"token":"inlined-task-1","value":{"kind":"end","message":"done"}}}
--> {"id":2,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
<-- {"id":3,"method":"window/workDoneProgress/create","params":{"token":"inlined-task-2"}}
--> {"id":3,"result":null}
<-- {"method":"$/progress","params":{"token":"inlined-task-2","value":{"kind":"begin","title":"Improve f","cancellable":true,"message":"reading"}}}
--> {"method":"window/workDoneProgress/cancel","params":{"token":"none of ours"}}
--> {"method":"$/cancelRequest","params":{"id":2}}
<-- {"id":2,"error":{"code":-32800,"message":"cancelled"}}
<-- {"method":"$/progress","params":{"token":"inlined-task-2","value":{"kind":"end","message":"cancelled"}}}

# An editor that will have none.
--> {"id":3,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
<-- {"id":4,"method":"window/workDoneProgress/create","params":{"token":"inlined-task-3"}}
--> {"id":4,"error":{"code":-32603,"message":"no"}}
--> {"method":"$/cancelRequest","params":{"id":3}}
<-- {"id":3,"error":{"code":-32800,"message":"cancelled"}}
