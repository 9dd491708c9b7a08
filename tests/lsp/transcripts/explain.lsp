# SPDX-License-Identifier: Apache-2.0
# An explanation grows on a page; a question is answered the same way.
client full
open python "def f(a):\n    return a\n\nx = 1\n"
--> {"id":1,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"explain","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine writes "It gives"
<-- {"id":1,"method":"window/showDocument","params":{"uri":"inlined:/1/Explain-f.md","external":false,"takeFocus":false}}
--> {"id":1,"result":{"success":true}}
--> {"id":2,"method":"workspace/textDocumentContent","params":{"uri":"inlined:/1/Explain-f.md"}}
<-- {"id":2,"result":{"text":"# Explain f\n\nIt gives\n"}}
engine ends "It gives a back."
<-- {"id":2,"method":"workspace/textDocumentContent/refresh","params":{"uri":"inlined:/1/Explain-f.md"}}
<-- {"id":1,"result":{"text":"It gives a back.","uri":"inlined:/1/Explain-f.md"}}
--> {"id":3,"method":"workspace/textDocumentContent","params":{"uri":"inlined:/1/Explain-f.md"}}
<-- {"id":3,"result":{"text":"# Explain f\n\nIt gives a back.\n"}}
--> {"id":4,"method":"workspace/textDocumentContent","params":{"uri":"inlined:/9/no.md"}}
<-- {"id":4,"error":{"code":-32602,"message":"there is no such page any more"}}

# A question.
--> {"id":5,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"explain","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"instruction":"who calls it?"}]}}
engine hears "Answer this question about the code: who calls it?"
engine ends "Nobody."
<-- {"id":3,"method":"window/showDocument","params":{"uri":"inlined:/2/Explain-f.md","external":false,"takeFocus":false}}
<-- {"id":5,"result":{"text":"Nobody.","uri":"inlined:/2/Explain-f.md"}}

# Nothing, and tokens of the model's template.
--> {"id":6,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"explain","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends ""
<-- {"id":6,"error":{"code":-32803,"message":"the model had nothing to say"}}
--> {"id":7,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"explain","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "<|im_start|>assistant\n"
<-- {"id":7,"error":{"code":-32803,"message":"the model had nothing to say"}}

# Code with a key in it is not shown to the model.
client full
open python "key = 'ghp_16C7e42F292c6912E7710c838347Ae178B4a'\n"
--> {"id":8,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"explain","uri":"file:///w/a","version":1,"range":{"start":{"line":0,"character":0},"end":{"line":0,"character":0}}}]}}
<-- {"id":8,"error":{"code":-32803,"message":"the code holds what looks like a key or a password; it was not shown to the model"}}
