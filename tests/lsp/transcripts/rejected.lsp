# SPDX-License-Identifier: Apache-2.0
# An editor that does not make the change: one sentence.
client no-resolve
open python "def f(a):\n    return a\n\nx = 1\n"
--> {"id":1,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "Here:\n```python\ndef f(a):\n    return a + 1\n```"
<-- {"id":1,"method":"workspace/applyEdit","params":{"label":"Improve f","edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":12},"end":{"line":1,"character":12}},"newText":" + 1","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Improve f","needsConfirmation":false,"description":"fake, +1 -1 lines"}}},"metadata":{"isRefactoring":true}}}
--> {"id":1,"result":{"applied":false,"failureReason":"the buffer is locked"}}
<-- {"id":1,"error":{"code":-32803,"message":"the editor did not make the change: the buffer is locked"}}
--> {"id":2,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "Here:\n```python\ndef f(a):\n    return a + 1\n```"
<-- {"id":2,"method":"workspace/applyEdit","params":{"label":"Improve f","edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":12},"end":{"line":1,"character":12}},"newText":" + 1","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Improve f","needsConfirmation":false,"description":"fake, +1 -1 lines"}}},"metadata":{"isRefactoring":true}}}
--> {"id":2,"result":{"applied":false}}
<-- {"id":2,"error":{"code":-32803,"message":"the editor did not make the change"}}
--> {"id":3,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "Here:\n```python\ndef f(a):\n    return a + 1\n```"
<-- {"id":3,"method":"workspace/applyEdit","params":{"label":"Improve f","edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":12},"end":{"line":1,"character":12}},"newText":" + 1","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Improve f","needsConfirmation":false,"description":"fake, +1 -1 lines"}}},"metadata":{"isRefactoring":true}}}
--> {"id":3,"error":{"code":-32603,"message":"no window"}}
<-- {"id":3,"error":{"code":-32803,"message":"the editor did not make the change: no window"}}
--> {"id":4,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "Here:\n```python\ndef f(a):\n    return a + 1\n```"
<-- {"id":4,"method":"workspace/applyEdit","params":{"label":"Improve f","edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":12},"end":{"line":1,"character":12}},"newText":" + 1","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Improve f","needsConfirmation":false,"description":"fake, +1 -1 lines"}}},"metadata":{"isRefactoring":true}}}
--> {"id":4,"result":"what?"}
<-- {"id":4,"error":{"code":-32803,"message":"the editor did not make the change"}}
text "def f(a):\n    return a\n\nx = 1\n"
