; SPDX-License-Identifier: Apache-2.0
; Captures: see context/scope.c.
(comment) @comment
(double_quote_scalar) @string
(single_quote_scalar) @string
(block_scalar) @string
