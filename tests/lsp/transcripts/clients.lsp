# SPDX-License-Identifier: Apache-2.0
# Editors that take less get what they can: findings are pushed, fixes are commands or plain edits, hovers plain text.

client no-resolve
open python "def f(a):\n    return a\n\nx = 1\n"
--> {"id":1,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "{\"findings\":[{\"line\":2,\"severity\":\"information\",\"message\":\"The sum is missing.\",\"replacement\":\"    return a + 1\"}]}"
<-- {"method":"textDocument/publishDiagnostics","params":{"uri":"file:///w/a","version":1,"diagnostics":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":12}},"severity":3,"message":"The sum is missing.","source":"inlined","code":"review","data":{"finding":1}}]}}
<-- {"id":1,"result":{"findings":1,"pieces":1}}
--> {"id":2,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"context":{"triggerKind":2,"diagnostics":[]}}}
<-- {"id":2,"result":[{"title":"Fix what the review found: The sum is missing.","kind":"quickfix","diagnostics":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":12}},"severity":3,"message":"The sum is missing.","source":"inlined","code":"review","data":{"finding":1}}],"edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":12},"end":{"line":1,"character":12}},"newText":" + 1","annotationId":"inlined"}]}],"changeAnnotations":{"inlined":{"label":"Fix what the review found","needsConfirmation":false,"description":"The sum is missing."}}}}]}
--> {"id":3,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///w/a"},"position":{"line":0,"character":4}}}
<-- {"id":3,"result":{"contents":{"kind":"plaintext","value":"def f(a):\n\nfunction, a line 1, 2 lines\n"},"range":{"start":{"line":0,"character":4},"end":{"line":0,"character":5}}}}
--> {"id":4,"method":"textDocument/diagnostic","params":{"textDocument":{"uri":"file:///w/a"}}}
<-- {"id":4,"result":{"kind":"full","resultId":"0f60e0a0c34f2551","items":[]}}
--> {"id":5,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"explain","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "It gives a back."
<-- {"id":5,"result":{"text":"It gives a back.","uri":"inlined:/1/Explain-f.md"}}

client no-annotations
open python "def f(a):\n    return a\n\nx = 1\n"
--> {"id":1,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "{\"findings\":[{\"line\":2,\"severity\":\"information\",\"message\":\"The sum is missing.\",\"replacement\":\"    return a + 1\"}]}"
<-- {"method":"textDocument/publishDiagnostics","params":{"uri":"file:///w/a","version":1,"diagnostics":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":12}},"severity":3,"message":"The sum is missing.","source":"inlined","code":"review","data":{"finding":1}}]}}
<-- {"id":1,"result":{"findings":1,"pieces":1}}
--> {"id":2,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"context":{"triggerKind":2,"diagnostics":[]}}}
<-- {"id":2,"result":[{"title":"Fix what the review found: The sum is missing.","kind":"quickfix","diagnostics":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":12}},"severity":3,"message":"The sum is missing.","source":"inlined","code":"review","data":{"finding":1}}],"edit":{"documentChanges":[{"textDocument":{"uri":"file:///w/a","version":1},"edits":[{"range":{"start":{"line":1,"character":12},"end":{"line":1,"character":12}},"newText":" + 1"}]}]}}]}
--> {"id":3,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///w/a"},"position":{"line":0,"character":4}}}
<-- {"id":3,"result":{"contents":{"kind":"plaintext","value":"def f(a):\n\nfunction, a line 1, 2 lines\n"},"range":{"start":{"line":0,"character":4},"end":{"line":0,"character":5}}}}
--> {"id":4,"method":"textDocument/diagnostic","params":{"textDocument":{"uri":"file:///w/a"}}}
<-- {"id":4,"result":{"kind":"full","resultId":"0f60e0a0c34f2551","items":[]}}
--> {"id":5,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"explain","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "It gives a back."
<-- {"id":5,"result":{"text":"It gives a back."}}

client old
open python "def f(a):\n    return a\n\nx = 1\n"
--> {"id":1,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "{\"findings\":[{\"line\":2,\"severity\":\"information\",\"message\":\"The sum is missing.\",\"replacement\":\"    return a + 1\"}]}"
<-- {"method":"textDocument/publishDiagnostics","params":{"uri":"file:///w/a","version":1,"diagnostics":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":12}},"severity":3,"message":"The sum is missing.","source":"inlined","code":"review","data":{"finding":1}}]}}
<-- {"id":1,"result":{"findings":1,"pieces":1}}
--> {"id":2,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"context":{"triggerKind":2,"diagnostics":[]}}}
<-- {"id":2,"result":[{"title":"Fix what the review found: The sum is missing.","command":"inlined.action","arguments":[{"action":"apply","uri":"file:///w/a","version":1,"label":"Fix what the review found: The sum is missing.","edit":{"changes":{"file:///w/a":[{"range":{"start":{"line":1,"character":12},"end":{"line":1,"character":12}},"newText":" + 1"}]}}}]}]}
--> {"id":3,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///w/a"},"position":{"line":0,"character":4}}}
<-- {"id":3,"result":{"contents":{"kind":"plaintext","value":"def f(a):\n\nfunction, a line 1, 2 lines\n"},"range":{"start":{"line":0,"character":4},"end":{"line":0,"character":5}}}}
--> {"id":4,"method":"textDocument/diagnostic","params":{"textDocument":{"uri":"file:///w/a"}}}
<-- {"id":4,"result":{"kind":"full","resultId":"0f60e0a0c34f2551","items":[]}}
--> {"id":5,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"explain","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "It gives a back."
<-- {"id":5,"result":{"text":"It gives a back."}}

client bare
open python "def f(a):\n    return a\n\nx = 1\n"
--> {"id":1,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "{\"findings\":[{\"line\":2,\"severity\":\"information\",\"message\":\"The sum is missing.\",\"replacement\":\"    return a + 1\"}]}"
<-- {"method":"textDocument/publishDiagnostics","params":{"uri":"file:///w/a","version":1,"diagnostics":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":12}},"severity":3,"message":"The sum is missing.","source":"inlined","code":"review","data":{"finding":1}}]}}
<-- {"id":1,"result":{"findings":1,"pieces":1}}
--> {"id":2,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"context":{"triggerKind":2,"diagnostics":[]}}}
<-- {"id":2,"result":[]}
--> {"id":3,"method":"textDocument/hover","params":{"textDocument":{"uri":"file:///w/a"},"position":{"line":0,"character":4}}}
<-- {"id":3,"result":{"contents":{"kind":"plaintext","value":"def f(a):\n\nfunction, a line 1, 2 lines\n"},"range":{"start":{"line":0,"character":4},"end":{"line":0,"character":5}}}}
--> {"id":4,"method":"textDocument/diagnostic","params":{"textDocument":{"uri":"file:///w/a"}}}
<-- {"id":4,"result":{"kind":"full","resultId":"0f60e0a0c34f2551","items":[]}}
--> {"id":5,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"explain","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "It gives a back."
<-- {"id":5,"result":{"text":"It gives a back."}}
