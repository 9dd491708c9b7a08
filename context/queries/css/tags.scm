; SPDX-License-Identifier: Apache-2.0
; Definitions for the symbol index; captures: see context/tags.h.
(class_selector (class_name) @name) @type
(id_selector (id_name) @name) @type
(keyframes_statement (keyframes_name) @name) @type
(declaration (property_name) @name (#starts-with? @name "--")) @variable
