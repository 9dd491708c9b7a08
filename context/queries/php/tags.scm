; SPDX-License-Identifier: Apache-2.0
; Definitions for the symbol index; captures: see context/tags.h.
(function_definition name: (name) @name) @function
(method_declaration name: (name) @name) @function
(class_declaration name: (name) @name) @type
(interface_declaration name: (name) @name) @type
(trait_declaration name: (name) @name) @type
(enum_declaration name: (name) @name) @type
(const_element (name) @name) @constant
(property_element (variable_name (name) @name)) @field
