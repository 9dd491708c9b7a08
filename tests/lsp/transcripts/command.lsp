# SPDX-License-Identifier: Apache-2.0
# A client that resolves nothing: the action is a command, the edit comes with workspace/applyEdit.
client no-resolve
open python "def f(a):\n    return a\n\nx = 1\n"
--> {"id":1,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"context":{"only":["refactor.rewrite.document"],"diagnostics":[]}}}
<-- {"id":1,"result":[{"title":"Document f (model)","kind":"refactor.rewrite.document","command":{"title":"Document f (model)","command":"inlined.action","arguments":[{"action":"document","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}]}
--> {"id":2,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "Here:\n```python\ndef f(a):\n    return a + 1\n```"
<-- {"id":1,"method":"workspace/applyEdit","params":{"label":"Improve f","edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":12},"end":{"line":1,"character":12}},"newText":" + 1","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Improve f","needsConfirmation":false,"description":"fake, +1 -1 lines"}}},"metadata":{"isRefactoring":true}}}
--> {"id":1,"result":{"applied":true}}
<-- {"id":2,"result":null}

# The instruction of a person.
--> {"id":3,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"rewrite","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"instruction":"add one"}]}}
engine hears "add one"
engine ends "Here:\n```python\ndef f(a):\n    return a + 1\n```"
<-- {"id":2,"method":"workspace/applyEdit","params":{"label":"Rewrite f","edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":12},"end":{"line":1,"character":12}},"newText":" + 1","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Rewrite f","needsConfirmation":false,"description":"fake, +1 -1 lines"}}},"metadata":{"isRefactoring":true}}}
--> {"id":2,"result":{"applied":true}}
<-- {"id":3,"result":null}

# Without annotations a change that must be confirmed is a question.
client no-annotations
open python "def f(a):\n    return a\n\nx = 1\n"
--> {"id":4,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "```python\ndef f(a):\n    return (a\n```"
<-- {"id":1,"method":"window/showMessageRequest","params":{"type":2,"message":"Improve f: fake, +1 -1 lines; it adds syntax errors. Apply it all the same?","actions":[{"title":"Apply"},{"title":"Discard"}]}}
--> {"id":1,"result":{"title":"Apply"}}
<-- {"id":2,"method":"workspace/applyEdit","params":{"label":"Improve f","edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":11},"end":{"line":1,"character":11}},"newText":"("}]}]},"metadata":{"isRefactoring":true}}}
--> {"id":2,"result":{"applied":true}}
<-- {"id":4,"result":null}
--> {"id":5,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "```python\ndef f(a):\n    return (a\n```"
<-- {"id":3,"method":"window/showMessageRequest","params":{"type":2,"message":"Improve f: fake, +1 -1 lines; it adds syntax errors. Apply it all the same?","actions":[{"title":"Apply"},{"title":"Discard"}]}}
--> {"id":3,"result":{"title":"Discard"}}
<-- {"id":5,"error":{"code":-32800,"message":"the change was not wanted"}}
--> {"id":6,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "```python\ndef f(a):\n    return (a\n```"
<-- {"id":4,"method":"window/showMessageRequest","params":{"type":2,"message":"Improve f: fake, +1 -1 lines; it adds syntax errors. Apply it all the same?","actions":[{"title":"Apply"},{"title":"Discard"}]}}
--> {"id":4,"result":null}
<-- {"id":6,"error":{"code":-32800,"message":"the change was not wanted"}}
text "def f(a):\n    return a\n\nx = 1\n"

# An old editor: commands in the menu, edits without a version.
client old
open python "def f(a):\n    return a\n\nx = 1\n"
--> {"id":7,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"context":{"only":["refactor.rewrite.document","inlined.review"],"diagnostics":[]}}}
<-- {"id":7,"result":[{"title":"Document f (model)","command":"inlined.action","arguments":[{"action":"document","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]},{"title":"Review f (model)","command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]},{"title":"Review this file (model)","command":"inlined.action","arguments":[{"action":"reviewFile","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]},{"title":"Review changes against git (model)","command":"inlined.action","arguments":[{"action":"reviewChanges","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}]}
--> {"id":8,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "Here:\n```python\ndef f(a):\n    return a + 1\n```"
<-- {"id":1,"method":"workspace/applyEdit","params":{"label":"Improve f","edit":{"changes":{"file:///w/a":[{"range":{"start":{"line":1,"character":12},"end":{"line":1,"character":12}},"newText":" + 1"}]}},"metadata":{"isRefactoring":true}}}
--> {"id":1,"result":{"applied":true}}
<-- {"id":8,"result":null}

# One that takes no edits at all gets what changes nothing.
client bare
open python "def f(a):\n    return a\n\nx = 1\n"
--> {"id":9,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"context":{"diagnostics":[]}}}
<-- {"id":9,"result":[{"title":"Explain f (model)","command":"inlined.action","arguments":[{"action":"explain","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]},{"title":"Review f (model)","command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]},{"title":"Review this file (model)","command":"inlined.action","arguments":[{"action":"reviewFile","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]},{"title":"Review changes against git (model)","command":"inlined.action","arguments":[{"action":"reviewChanges","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}]}
--> {"id":10,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
<-- {"id":10,"error":{"code":-32803,"message":"this editor takes no edits from a server"}}
