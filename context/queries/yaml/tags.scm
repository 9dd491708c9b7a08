; SPDX-License-Identifier: Apache-2.0
; Definitions for the symbol index; captures: see context/tags.h.
(document (block_node (block_mapping (block_mapping_pair
  key: (flow_node (plain_scalar (string_scalar) @name))) @field)))
(anchor (anchor_name) @name) @variable
