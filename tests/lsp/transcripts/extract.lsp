# SPDX-License-Identifier: Apache-2.0
# Lines that the tree does not extract by itself (they return) are the model's work: the function
# around them is what it writes anew, the marked lines are what it is about.
client full
open python "def f(a):\n    b = a * 2\n    if b:\n        return b\n    return a\n\nx = 1\n"
--> {"id":1,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":2,"character":4},"end":{"line":3,"character":16}},"context":{"only":["refactor.extract"],"diagnostics":[]}}}
<-- {"id":1,"result":[{"title":"Extract a function from lines 3-4 of f (model)","kind":"refactor.extract","data":{"action":"extract","uri":"file:///w/a","version":1,"range":{"start":{"line":2,"character":4},"end":{"line":3,"character":16}}}}]}
--> {"id":2,"method":"codeAction/resolve","params":{"title":"Extract a function from lines 3-4 of f (model)","data":{"action":"extract","uri":"file:///w/a","version":1,"range":{"start":{"line":2,"character":4},"end":{"line":3,"character":16}}}}}
engine hears "The code:\n```python\ndef f(a):\n    b = a * 2"
engine hears "The marked lines:\n```python\nif b:\n        return b\n```"
engine ends "```python\ndef pick(a, b):\n    return b or a\n\ndef f(a):\n    b = a * 2\n    return pick(a, b)\n```"
<-- {"id":2,"result":{"title":"Extract a function from lines 3-4 of f (model)","data":{"action":"extract","uri":"file:///w/a","version":1,"range":{"start":{"line":2,"character":4},"end":{"line":3,"character":16}}},"edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":0}},"newText":"def pick(a, b):\n    return b or a\n\n","annotationId":"inlined"},{"range":{"start":{"line":2,"character":4},"end":{"line":4,"character":12}},"newText":"return pick(a, b)","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Extract a function from lines 3-4 of f","needsConfirmation":false,"description":"fake, +4 -3 lines"}}}}}

# The function itself is gone from the answer.
--> {"id":3,"method":"codeAction/resolve","params":{"title":"Extract a function from lines 3-4 of f (model)","data":{"action":"extract","uri":"file:///w/a","version":1,"range":{"start":{"line":2,"character":4},"end":{"line":3,"character":16}}}}}
engine ends "```python\ndef pick(a, b):\n    return b or a\n```"
<-- {"id":3,"error":{"code":-32803,"message":"the model's answer does not define f; nothing was changed"}}

# What the tree can do, it does alone; a cursor and lines outside of functions are nothing to extract.
--> {"id":4,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":13}},"context":{"only":["refactor.extract"],"diagnostics":[]}}}
<-- {"id":4,"result":[{"title":"Extract function extracted (syntax tree)","kind":"refactor.extract","edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":0}},"newText":"def extracted(a):\n    b = a * 2\n    return b\n\n\n","annotationId":"inlined"},{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":13}},"newText":"b = extracted(a)","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Extract function extracted (syntax tree)","needsConfirmation":false,"description":"by the syntax tree"}}}},{"title":"Extract function (syntax tree, named by the model)","kind":"refactor.extract","data":{"action":"nameFunction","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":13}}}}]}
--> {"id":5,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":2,"character":4},"end":{"line":2,"character":4}},"context":{"only":["refactor.extract"],"diagnostics":[]}}}
<-- {"id":5,"result":[]}
--> {"id":6,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":6,"character":0},"end":{"line":6,"character":5}},"context":{"only":["refactor.extract"],"diagnostics":[]}}}
<-- {"id":6,"result":[]}
--> {"id":7,"method":"codeAction/resolve","params":{"title":"x","data":{"action":"extract","uri":"file:///w/a","version":1,"range":{"start":{"line":6,"character":0},"end":{"line":6,"character":5}}}}}
<-- {"id":7,"error":{"code":-32803,"message":"the action does not fit the code at this place"}}
--> {"id":8,"method":"codeAction/resolve","params":{"title":"x","data":{"action":"extract","uri":"file:///w/a","version":1,"range":{"start":{"line":3,"character":0},"end":{"line":6,"character":5}}}}}
<-- {"id":8,"error":{"code":-32803,"message":"the action does not fit the code at this place"}}

# C, too, where the text says the types; else lines are the model's.
client full
open c "int f(int a) {\n    int b = a * 2;\n    return b;\n}\n\nint h(void) {\n    int b = g();\n    typeof(b) c = b;\n    return c;\n}\n"
--> {"id":9,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":18}},"context":{"only":["refactor.extract"],"diagnostics":[]}}}
<-- {"id":9,"result":[{"title":"Extract function extracted (syntax tree)","kind":"refactor.extract","edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":0}},"newText":"static int extracted(int a) {\n    int b = a * 2;\n    return b;\n}\n\n","annotationId":"inlined"},{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":18}},"newText":"int b = extracted(a);","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Extract function extracted (syntax tree)","needsConfirmation":false,"description":"by the syntax tree"}}}},{"title":"Extract function (syntax tree, named by the model)","kind":"refactor.extract","data":{"action":"nameFunction","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":18}}}}]}
--> {"id":10,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":7,"character":4},"end":{"line":7,"character":20}},"context":{"only":["refactor.extract"],"diagnostics":[]}}}
<-- {"id":10,"result":[{"title":"Extract a function from line 8 of h (model)","kind":"refactor.extract","data":{"action":"extract","uri":"file:///w/a","version":1,"range":{"start":{"line":7,"character":4},"end":{"line":7,"character":20}}}}]}
