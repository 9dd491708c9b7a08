# SPDX-License-Identifier: Apache-2.0
# An edit that a model writes, fetched with codeAction/resolve: small, with its version, annotated.
client full
open python "def f(a):\n    return a\n\nx = 1\n"
--> {"id":1,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine hears "def f(a):\n    return a"
engine ends "Here:\n```python\ndef f(a):\n    return a + 1\n```"
<-- {"id":1,"result":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}},"edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":12},"end":{"line":1,"character":12}},"newText":" + 1","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Improve f","needsConfirmation":false,"description":"fake, +1 -1 lines"}}}}}
text "def f(a):\n    return a\n\nx = 1\n"

# It adds a syntax error: a person must look first.
--> {"id":2,"method":"codeAction/resolve","params":{"title":"Simplify f (model)","kind":"refactor.rewrite","data":{"action":"simplify","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine ends "```python\ndef f(a):\n    return (a\n```"
<-- {"id":2,"result":{"title":"Simplify f (model)","kind":"refactor.rewrite","data":{"action":"simplify","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}},"edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":11},"end":{"line":1,"character":11}},"newText":"(","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Simplify f","needsConfirmation":true,"description":"fake, +1 -1 lines; it adds syntax errors"}}}}}

# Documentation is put in; the code is not touched.
--> {"id":3,"method":"codeAction/resolve","params":{"title":"Document f (model)","kind":"refactor.rewrite","data":{"action":"document","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine ends "\"\"\"Gives a back.\"\"\""
<-- {"id":3,"result":{"title":"Document f (model)","kind":"refactor.rewrite","data":{"action":"document","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}},"edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":0},"end":{"line":1,"character":0}},"newText":"    \"\"\"Gives a back.\"\"\"\n","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Document f","needsConfirmation":false,"description":"fake, +1 -0 lines"}}}}}

# A fix is told what the problem is.
--> {"id":4,"method":"codeAction/resolve","params":{"title":"Fix: a may be None (model)","kind":"refactor.rewrite","data":{"action":"fix","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"diagnostics":[{"range":{"start":{"line":1,"character":11},"end":{"line":1,"character":12}},"message":"a may be None\nmore about it","source":"checker","severity":2}]}}}
engine hears "a may be None"
engine ends "Here:\n```python\ndef f(a):\n    return a + 1\n```"
<-- {"id":4,"result":{"title":"Fix: a may be None (model)","kind":"refactor.rewrite","data":{"action":"fix","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"diagnostics":[{"range":{"start":{"line":1,"character":11},"end":{"line":1,"character":12}},"message":"a may be None\nmore about it","source":"checker","severity":2}]},"edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":12},"end":{"line":1,"character":12}},"newText":" + 1","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Fix f","needsConfirmation":false,"description":"fake, +1 -1 lines"}}}}}

# Tests make a file, after somebody has said yes.
--> {"id":5,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"tests","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "```python\nfrom a import f\n```"
<-- {"id":1,"method":"workspace/applyEdit","params":{"label":"Generate tests for f","edit":{"documentChanges":[{"kind":"create","uri":"file:///w/test_a","options":{"ignoreIfExists":true}},{"textDocument":{"uri":"file:///w/test_a","version":null},"edits":[{"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":0}},"newText":"from a import f\n","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Generate tests for f","needsConfirmation":true,"description":"fake, +1 -0 lines; a new file"}}},"metadata":{"isRefactoring":true}}}
--> {"id":1,"result":{"applied":true}}
<-- {"id":5,"result":null}
