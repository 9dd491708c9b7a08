; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(comment) @comment
(string) @string
(heredoc_body) @string
(interpolation) @code

(method body: (_) @body) @scope
(singleton_method body: (_) @body) @scope
(class body: (_) @body) @scope
(module body: (_) @body) @scope
