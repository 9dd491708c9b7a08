// SPDX-License-Identifier: Apache-2.0
// Where the daemon's program is: the setting, the PATH, the copy inside this extension, in this order.
import * as path from "node:path";

export interface Found {
  program: string;
  from: "setting" | "path" | "bundled";
}

export interface Places {
  setting: string;
  /** The environment's PATH. */
  path: string;
  /** Folder of this extension. */
  extension: string;
  windows: boolean;
  isExecutable: (file: string) => boolean;
}

/** A setting that names no program is an error and never silently replaced by another program. */
export function locate(places: Places): Found | { error: string } {
  const name = places.windows ? "inlined.exe" : "inlined";
  if (places.setting) {
    if (places.isExecutable(places.setting)) return { program: places.setting, from: "setting" };
    return {
      error: `The setting inlined.server.path names ${places.setting}, which is no program. ` +
        "Correct it, or empty it to use the daemon that came with this extension.",
    };
  }
  for (const folder of places.path.split(path.delimiter)) {
    // A relative folder of the PATH would take a program out of the workspace.
    if (!path.isAbsolute(folder)) continue;
    const file = path.join(folder, name);
    if (places.isExecutable(file)) return { program: file, from: "path" };
  }
  const bundled = path.join(places.extension, "bin", name);
  if (places.isExecutable(bundled)) return { program: bundled, from: "bundled" };
  return {
    error: "The daemon was not found: not on the PATH, and this package carries none for this platform. " +
      "Build it with ./bootstrap install, or set inlined.server.path.",
  };
}

/** A sentence with the fix if daemon and extension are of different versions, else "". */
export function versionTrouble(extension: string, daemon: string | undefined, from: Found["from"]): string {
  const minor = (v: string): string => v.split(".").slice(0, 2).join(".");
  if (daemon !== undefined && minor(daemon) === minor(extension)) return "";
  const fix = from === "bundled"
    ? "Install the extension again."
    : "Update it (./bootstrap install), or empty inlined.server.path and take it off the PATH to use the bundled one.";
  return `This extension is of version ${extension}, the daemon of ${daemon ?? "an unknown version"}. ${fix}`;
}
