# SPDX-License-Identifier: Apache-2.0
# Findings are diagnostics, pushed, each with its fix in the menu.
client full
open python "def f(a):\n    return a\n\nx = 1\n"
--> {"id":1,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine hears "2:     return a"
engine ends "{\"findings\":[{\"line\":2,\"severity\":\"information\",\"message\":\"The sum is missing.\",\"replacement\":\"    return a + 1\"},{\"line\":1,\"severity\":\"hint\",\"message\":\"Say what f does.\",\"replacement\":null}]}"
<-- {"method":"textDocument/publishDiagnostics","params":{"uri":"file:///w/a","version":1,"diagnostics":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":12}},"severity":3,"message":"The sum is missing.","source":"inlined","code":"review","data":{"finding":1}},{"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":9}},"severity":4,"message":"Say what f does.","source":"inlined","code":"review","data":{"finding":2}}]}}
<-- {"id":1,"result":{"findings":2,"pieces":1}}
--> {"id":2,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":0},"end":{"line":1,"character":0}},"context":{"triggerKind":2,"diagnostics":[]}}}
<-- {"id":2,"result":[{"title":"Fix what the review found: The sum is missing.","kind":"quickfix","diagnostics":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":12}},"severity":3,"message":"The sum is missing.","source":"inlined","code":"review","data":{"finding":1}}],"edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":12},"end":{"line":1,"character":12}},"newText":" + 1","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Fix what the review found","needsConfirmation":false,"description":"The sum is missing."}}}}]}

# They go with their line.
--> {"method":"textDocument/didChange","params":{"textDocument":{"uri":"file:///w/a","version":2},"contentChanges":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":10}},"text":"yield"}]}}
<-- {"method":"textDocument/publishDiagnostics","params":{"uri":"file:///w/a","version":2,"diagnostics":[{"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":9}},"severity":4,"message":"Say what f does.","source":"inlined","code":"review","data":{"finding":2}}]}}

# Half a JSON, prose, nothing, and a line that was not shown.
--> {"id":3,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":2,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "{\"findings\":[{\"line\":"
<-- {"id":3,"error":{"code":-32803,"message":"the model's answer broke off after 0 tokens"}}
--> {"id":4,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":2,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "I find nothing."
<-- {"id":4,"error":{"code":-32803,"message":"the model's answer broke off after 0 tokens"}}
--> {"id":5,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":2,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends ""
<-- {"id":5,"error":{"code":-32803,"message":"the model's answer broke off after 0 tokens"}}
--> {"id":6,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":2,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "{\"findings\":[{\"line\":99,\"severity\":\"hint\",\"message\":\"Nonsense about nothing.\",\"replacement\":null}]}"
<-- {"method":"textDocument/publishDiagnostics","params":{"uri":"file:///w/a","version":2,"diagnostics":[]}}
<-- {"id":6,"result":{"findings":0,"pieces":1}}
--> {"id":7,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":2,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "{\"findings\":7}"
<-- {"method":"textDocument/publishDiagnostics","params":{"uri":"file:///w/a","version":2,"diagnostics":[]}}
<-- {"id":7,"result":{"findings":0,"pieces":1}}

# An editor that pulls is told to pull again.
client pull
open python "def f(a):\n    return a\n\nx = 1\n"
--> {"id":8,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "{\"findings\":[{\"line\":2,\"severity\":\"information\",\"message\":\"The sum is missing.\",\"replacement\":\"    return a + 1\"},{\"line\":1,\"severity\":\"hint\",\"message\":\"Say what f does.\",\"replacement\":null}]}"
<-- {"id":1,"method":"workspace/diagnostic/refresh"}
<-- {"id":8,"result":{"findings":2,"pieces":1}}
--> {"id":9,"method":"textDocument/diagnostic","params":{"textDocument":{"uri":"file:///w/a"}}}
<-- {"id":9,"result":{"kind":"full","resultId":"166d92c3b57b53ee","items":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":12}},"severity":3,"message":"The sum is missing.","source":"inlined","code":"review","data":{"finding":1}},{"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":9}},"severity":4,"message":"Say what f does.","source":"inlined","code":"review","data":{"finding":2}}]}}

# Against git, where there is none.
--> {"id":10,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"reviewChanges","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
<-- {"id":10,"error":{"code":-32803,"message":"git cannot be asked about this file"}}
--> {"id":11,"method":"workspace/executeCommand","params":{"command":"inlined.commitMessage","arguments":[{"uri":"file:///w/a"}]}}
<-- {"id":11,"error":{"code":-32803,"message":"git cannot be asked here: open a folder first"}}


# A fix that adds a syntax error says so, and must be confirmed.
client full
open python "def f(a):\n    return a\n"
--> {"id":12,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "{\"findings\":[{\"line\":2,\"severity\":\"hint\",\"message\":\"A bracket would help.\",\"replacement\":\"    return (a\"}]}"
<-- {"method":"textDocument/publishDiagnostics","params":{"uri":"file:///w/a","version":1,"diagnostics":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":12}},"severity":4,"message":"A bracket would help.","source":"inlined","code":"review","data":{"finding":1}}]}}
<-- {"id":12,"result":{"findings":1,"pieces":1}}
--> {"id":13,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":0},"end":{"line":1,"character":0}},"context":{"triggerKind":2,"diagnostics":[]}}}
<-- {"id":13,"result":[{"title":"Fix what the review found (it adds syntax errors): A bracket would help.","kind":"quickfix","diagnostics":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":12}},"severity":4,"message":"A bracket would help.","source":"inlined","code":"review","data":{"finding":1}}],"edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":11},"end":{"line":1,"character":11}},"newText":"(","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Fix what the review found","needsConfirmation":true,"description":"A bracket would help."}}}}]}
