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

# Without code action literals there is no place for an edit.
client old
open python "def f(a):\n    b = a * 2\n    return g(b)\n"
--> {"id":4,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}},"context":{"only":["refactor.extract","refactor.inline"],"diagnostics":[]}}}
<-- {"id":4,"result":[{"title":"Extract a function from line 2 of f (model)","command":"inlined.action","arguments":[{"action":"extract","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":8},"end":{"line":1,"character":13}}}]}]}
