# SPDX-License-Identifier: Apache-2.0
# Reviews by a model that does not behave: what is no finding is left out, what ends badly is one sentence.
client full
open python "def f(a):\n    return a\n\nx = 1\n"

# A limit has cut it: nothing is whole; one finding is.
--> {"id":1,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine cuts "{\"findings\":[{\"line\":2,\"severity\":\"hi"
<-- {"method":"textDocument/publishDiagnostics","params":{"uri":"file:///w/a","version":1,"diagnostics":[]}}
<-- {"id":1,"error":{"code":-32803,"message":"the review was cut in 1 of 1 pieces, with 0 findings so far; inlined.actions.maxTokens allows longer answers"}}
--> {"id":2,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine cuts "{\"findings\":[{\"line\":2,\"severity\":\"hint\",\"message\":\"One that is whole.\",\"replacement\":null},{\"line\":1,\"sev"
<-- {"method":"textDocument/publishDiagnostics","params":{"uri":"file:///w/a","version":1,"diagnostics":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":12}},"severity":4,"message":"One that is whole.","source":"inlined","code":"review","data":{"finding":1}}]}}
<-- {"method":"window/showMessage","params":{"type":3,"message":"the review was cut in 1 of 1 pieces, with 1 findings so far; inlined.actions.maxTokens allows longer answers"}}
<-- {"id":2,"result":{"findings":1,"pieces":1,"cut":1}}

# Tokens of a template, other types, and not even objects.
--> {"id":3,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "{\"findings\":[{\"line\":2,\"severity\":\"hint\",\"message\":\"Bad.<|im_end|> Worse.\",\"replacement\":null},{\"line\":\"2\",\"message\":\"No number.\"},{\"line\":2},{\"line\":1e99,\"message\":\"Far away.\"},{\"line\":-1,\"message\":\"Before.\"},7,null]}"
<-- {"method":"textDocument/publishDiagnostics","params":{"uri":"file:///w/a","version":1,"diagnostics":[]}}
<-- {"id":3,"result":{"findings":0,"pieces":1}}
--> {"id":4,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "[{\"findings\":[]}]"
<-- {"method":"textDocument/publishDiagnostics","params":{"uri":"file:///w/a","version":1,"diagnostics":[]}}
<-- {"id":4,"result":{"findings":0,"pieces":1}}

# The same said twice is one; a fix of tokens of a template is none.
--> {"id":5,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "{\"findings\":[{\"line\":2,\"severity\":\"hint\",\"message\":\"Said twice.\",\"replacement\":null},{\"line\":2,\"severity\":\"hint\",\"message\":\"Said twice.\",\"replacement\":null},{\"line\":1,\"severity\":\"hint\",\"message\":\"Strange fix.\",\"replacement\":\"<|im_start|>\"}]}"
<-- {"method":"textDocument/publishDiagnostics","params":{"uri":"file:///w/a","version":1,"diagnostics":[{"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":12}},"severity":4,"message":"Said twice.","source":"inlined","code":"review","data":{"finding":2}},{"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":9}},"severity":4,"message":"Strange fix.","source":"inlined","code":"review","data":{"finding":3}}]}}
<-- {"id":5,"result":{"findings":2,"pieces":1}}

# 200,000 characters, and a break.
--> {"id":6,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine writes 200000 " "
<-- {"id":6,"error":{"code":-32803,"message":"the model's answer is far too long; nothing was changed"}}
--> {"id":7,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"review","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine fails
<-- {"id":7,"error":{"code":-32803,"message":"the fake engine ended the job"}}
text "def f(a):\n    return a\n\nx = 1\n"
