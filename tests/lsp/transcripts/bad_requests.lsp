# SPDX-License-Identifier: Apache-2.0
# Requests that make no sense: each is answered, with one sentence.
client full
open python "def f(a):\n    return a\n\nx = 1\n"
--> {"id":1,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[]}}
<-- {"id":1,"error":{"code":-32602,"message":"the command's argument must be an object with a uri"}}
--> {"id":2,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[7]}}
<-- {"id":2,"error":{"code":-32602,"message":"the command's argument must be an object with a uri"}}
--> {"id":3,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve"}]}}
<-- {"id":3,"error":{"code":-32602,"message":"the command's argument must be an object with a uri"}}
--> {"id":4,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///no"}]}}
<-- {"id":4,"error":{"code":-32803,"message":"the document is not open"}}
--> {"id":5,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"dance","uri":"file:///w/a"}]}}
<-- {"id":5,"error":{"code":-32602,"message":"there is no action \"dance\""}}
--> {"id":6,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"uri":"file:///w/a"}]}}
<-- {"id":6,"error":{"code":-32602,"message":"there is no action \"\""}}
--> {"id":7,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":0}]}}
<-- {"id":7,"error":{"code":-32801,"message":"the document has changed since"}}
--> {"id":8,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"rewrite","uri":"file:///w/a"}]}}
<-- {"id":8,"error":{"code":-32803,"message":"what shall be changed? the command needs an instruction"}}
--> {"id":9,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","range":7}]}}
<-- {"id":9,"error":{"code":-32602,"message":"range must have line and character, both from 0 upwards"}}
--> {"id":10,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","range":{"start":{"line":2,"character":0},"end":{"line":2,"character":0}}}]}}
<-- {"id":10,"error":{"code":-32803,"message":"there is nothing but blanks at this place"}}

# A range that ends before it starts is the range between; one behind the file is its end.
--> {"id":11,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":12},"end":{"line":1,"character":4}}}]}}
--> {"method":"$/cancelRequest","params":{"id":11}}
<-- {"id":11,"error":{"code":-32800,"message":"cancelled"}}
--> {"id":12,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":900,"character":0},"end":{"line":1000,"character":0}}}]}}
<-- {"id":12,"error":{"code":-32803,"message":"there is nothing but blanks at this place"}}
--> {"id":13,"method":"workspace/executeCommand","params":{"command":"inlined.nothing","arguments":[]}}
<-- {"id":13,"error":{"code":-32602,"message":"there is no command \"inlined.nothing\""}}
--> {"id":14,"method":"workspace/executeCommand","params":{}}
<-- {"id":14,"error":{"code":-32602,"message":"command must be a string"}}
--> {"id":15,"method":"codeAction/resolve","params":7}
<-- {"id":15,"error":{"code":-32600,"message":"params must be an object or an array"}}
--> {"id":16,"method":"codeAction/resolve","params":{"title":"x","data":{"uri":"file:///w/a","action":"document","range":{"start":{"line":3,"character":0},"end":{"line":3,"character":0}}}}}
<-- {"id":16,"error":{"code":-32803,"message":"the action does not fit the code at this place"}}
--> {"id":17,"method":"codeAction/resolve","params":{"title":"x"}}
<-- {"id":17,"result":{"title":"x"}}

# Actions are switched off.
--> {"method":"workspace/didChangeConfiguration","params":{"settings":{"actions":{"enable":false}}}}
--> {"id":18,"method":"textDocument/codeAction","params":{"textDocument":{"uri":"file:///w/a"},"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}},"context":{"diagnostics":[]}}}
<-- {"id":18,"result":[]}
--> {"id":19,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
<-- {"id":19,"error":{"code":-32803,"message":"actions are switched off (inlined.enable, inlined.actions.enable)"}}
text "def f(a):\n    return a\n\nx = 1\n"
