# SPDX-License-Identifier: Apache-2.0
# What the syntax tree does by itself has its edit in the menu: no model is asked.
client full
open python "def f(a):\n    b = a * 2\n    return g(b)\n"
--> {"id":1,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}},"context":{"only":["refactor.extract"],"diagnostics":[]}}}
<-- {"id":1,"result":[{"title":"Extract variable value (syntax tree)","kind":"refactor.extract","edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"newText":"value = a * 2\n    ","annotationId":"inlined"},{"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}},"newText":"value","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Extract variable value (syntax tree)","needsConfirmation":false,"description":"by the syntax tree"}}}},{"title":"Extract variable (syntax tree, named by the model)","kind":"refactor.extract","data":{"action":"nameVariable","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}}}},{"title":"Extract a function from line 2 of f (model)","kind":"refactor.extract","data":{"action":"extract","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}}}}]}
--> {"id":2,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"context":{"only":["refactor.inline"],"diagnostics":[]}}}
<-- {"id":2,"result":[{"title":"Inline b (syntax tree)","kind":"refactor.inline","edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":0},"end":{"line":2,"character":0}},"newText":"","annotationId":"inlined"},{"range":{"start":{"line":2,"character":13},"end":{"line":2,"character":14}},"newText":"a * 2","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Inline b (syntax tree)","needsConfirmation":false,"description":"by the syntax tree"}}}}]}

# Some editors resolve what has its edit already: it comes back as it is.
--> {"id":3,"method":"codeAction/resolve","params":{"title":"Inline b (syntax tree)","kind":"refactor.inline","edit":{"documentChanges":[]}}}
<-- {"id":3,"result":{"title":"Inline b (syntax tree)","kind":"refactor.inline","edit":{"documentChanges":[]}}}

# Without code action literals the edit is the argument of a command, which has it made.
client old
open python "def f(a):\n    b = a * 2\n    return g(b)\n"
--> {"id":4,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}},"context":{"only":["refactor.extract","refactor.inline"],"diagnostics":[]}}}
<-- {"id":4,"result":[{"title":"Extract variable value (syntax tree)","command":"inlined.action","arguments":[{"action":"apply","uri":"file:///w/a","version":1,"label":"Extract variable value (syntax tree)","edit":{"changes":{"file:///w/a":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"newText":"value = a * 2\n    "},{"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}},"newText":"value"}]}}}]},{"title":"Extract variable (syntax tree, named by the model)","command":"inlined.action","arguments":[{"action":"nameVariable","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}}}]},{"title":"Extract a function from line 2 of f (model)","command":"inlined.action","arguments":[{"action":"extract","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}}}]}]}
--> {"id":5,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"apply","uri":"file:///w/a","version":1,"label":"Extract variable value (syntax tree)","edit":{"changes":{"file:///w/a":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"newText":"value = a * 2\n    "},{"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}},"newText":"value"}]}}}]}}
<-- {"id":1,"method":"workspace/applyEdit","params":{"label":"Extract variable value (syntax tree)","edit":{"changes":{"file:///w/a":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"newText":"value = a * 2\n    "},{"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}},"newText":"value"}]}},"metadata":{"isRefactoring":true}}}
--> {"id":1,"result":{"applied":true}}
<-- {"id":5,"result":null}
--> {"id":6,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"apply","uri":"file:///w/a","version":1,"label":"Extract variable value (syntax tree)","edit":{"changes":{"file:///w/a":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"newText":"value = a * 2\n    "},{"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}},"newText":"value"}]}}}]}}
<-- {"id":2,"method":"workspace/applyEdit","params":{"label":"Extract variable value (syntax tree)","edit":{"changes":{"file:///w/a":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"newText":"value = a * 2\n    "},{"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}},"newText":"value"}]}},"metadata":{"isRefactoring":true}}}
--> {"id":2,"result":{"applied":false,"failureReason":"the buffer is locked"}}
<-- {"id":6,"error":{"code":-32803,"message":"the editor did not make the change: the buffer is locked"}}
# What does not belong to the text as it is, or is none, is refused.
--> {"id":7,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"apply","uri":"file:///w/a","version":9,"label":"Extract variable value (syntax tree)","edit":{"changes":{"file:///w/a":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"newText":"value = a * 2\n    "},{"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}},"newText":"value"}]}}}]}}
<-- {"id":7,"error":{"code":-32801,"message":"the document has changed since"}}
--> {"id":8,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"apply","uri":"file:///w/a","label":"Extract variable value (syntax tree)","edit":{"changes":{"file:///w/a":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"newText":"value = a * 2\n    "},{"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}},"newText":"value"}]}}}]}}
<-- {"id":8,"error":{"code":-32602,"message":"the action needs the edit and the document's version"}}
--> {"id":9,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"apply","uri":"file:///w/a","version":1,"label":"Extract variable value (syntax tree)","edit":[]}]}}
<-- {"id":9,"error":{"code":-32602,"message":"the action needs the edit and the document's version"}}

# Who takes no edits at all is offered none.
client bare
open python "def f(a):\n    b = a * 2\n    return g(b)\n"
--> {"id":10,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}},"context":{"only":["refactor.extract","refactor.inline"],"diagnostics":[]}}}
<-- {"id":10,"result":[]}
