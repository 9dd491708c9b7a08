# SPDX-License-Identifier: Apache-2.0
# What models do instead of answering: each ends in one sentence, and nothing is changed.
client full
open python "def f(a):\n    return a\n\nx = 1\n"

# Prose.
--> {"id":1,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine ends "I would not change this function, it is fine as it is."
<-- {"id":1,"error":{"code":-32803,"message":"the model answered with words instead of code; nothing was changed"}}

# Nothing.
--> {"id":2,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine ends ""
<-- {"id":2,"error":{"code":-32803,"message":"the model wrote nothing; nothing was changed"}}

# Blanks.
--> {"id":3,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine ends "  \n\t\n"
<-- {"id":3,"error":{"code":-32803,"message":"the model wrote nothing; nothing was changed"}}

# Half a JSON.
--> {"id":4,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine ends "{\"code\": \"def f(a):\\n  ret"
<-- {"id":4,"error":{"code":-32803,"message":"the model answered with words instead of code; nothing was changed"}}

# Half an answer.
--> {"id":5,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine cuts "```python\ndef f(a):\n    retu"
<-- {"id":5,"error":{"code":-32803,"message":"the model's answer ended in the middle; nothing was changed (inlined.actions.maxTokens allows longer ones)"}}

# Another function.
--> {"id":6,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine ends "```python\ndef g(a):\n    return a\n```"
<-- {"id":6,"error":{"code":-32803,"message":"the model's answer does not define f; nothing was changed"}}

# The same code.
--> {"id":7,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine ends "```python\ndef f(a):\n    return a\n```"
<-- {"id":7,"error":{"code":-32803,"message":"the model would change nothing in f"}}

# A tool that does not exist.
--> {"id":8,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine ends "<tool_call>\n{\"name\": \"rm\", \"arguments\": {\"path\": \"/\"}}\n</tool_call>"
<-- {"id":8,"error":{"code":-32803,"message":"the model answered with words instead of code; nothing was changed"}}

# Tokens of its own template.
--> {"id":9,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine ends "```python\ndef f(a):<|im_end|>\n<|im_start|>user\n```"
<-- {"id":9,"error":{"code":-32803,"message":"the model wrote tokens of its own template; nothing was changed"}}

# An empty block.
--> {"id":10,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine ends "```\n```"
<-- {"id":10,"error":{"code":-32803,"message":"the model wrote nothing; nothing was changed"}}

# 200,000 characters: stopped while they come.
--> {"id":11,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine writes 200000 "x"
<-- {"id":11,"error":{"code":-32803,"message":"the model's answer is far too long; nothing was changed"}}

# The same line for ever.
--> {"id":12,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine writes 40 "    return a\n"
<-- {"id":12,"error":{"code":-32803,"message":"the model repeats the same line for ever; nothing was changed"}}

# It breaks.
--> {"id":13,"method":"codeAction/resolve","params":{"title":"Improve f (model)","kind":"refactor.rewrite","data":{"action":"improve","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine fails
<-- {"id":13,"error":{"code":-32803,"message":"the fake engine ended the job"}}

# Documentation without a word, and of template tokens.
--> {"id":14,"method":"codeAction/resolve","params":{"title":"Document f (model)","kind":"refactor.rewrite","data":{"action":"document","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine ends ""
<-- {"id":14,"error":{"code":-32803,"message":"the model wrote no documentation; nothing was changed"}}
--> {"id":15,"method":"codeAction/resolve","params":{"title":"Document f (model)","kind":"refactor.rewrite","data":{"action":"document","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}}}
engine ends "<|endoftext|>"
<-- {"id":15,"error":{"code":-32803,"message":"the model wrote no documentation; nothing was changed"}}

# Tests in words.
--> {"id":16,"method":"workspace/executeCommand","params":{"command":"inlined.action","arguments":[{"action":"tests","uri":"file:///w/a","version":1,"range":{"start":{"line":1,"character":4},"end":{"line":1,"character":4}}}]}}
engine ends "You should test it."
<-- {"id":16,"error":{"code":-32803,"message":"the model answered with words instead of code; nothing was changed"}}
text "def f(a):\n    return a\n\nx = 1\n"
