// SPDX-License-Identifier: Apache-2.0
// What is paused for this window: everything, files, languages.  A pause lasts until it is ended or the window
// is closed; what should last for ever is a setting (inlined.enable, inlined.completion.disabledLanguages).

export interface Place {
  uri: string;
  language: string;
}

export class Pauses {
  private everything = false;
  private readonly files = new Set<string>();
  private readonly languages = new Set<string>();

  pauseEverything(): void {
    this.everything = true;
  }

  pauseFile(place: Place): void {
    this.files.add(place.uri);
  }

  pauseLanguage(place: Place): void {
    this.languages.add(place.language);
  }

  /** Ends whatever pauses `place` (and the pause of everything). */
  resume(place: Place | undefined): void {
    this.everything = false;
    if (!place) return;
    this.files.delete(place.uri);
    this.languages.delete(place.language);
  }

  /** Why nothing is asked at `place`, in words; "" when it is not paused. */
  why(place: Place | undefined): string {
    if (this.everything) return "Paused everywhere in this window.";
    if (place && this.languages.has(place.language)) return `Paused for ${place.language}.`;
    if (place && this.files.has(place.uri)) return "Paused in this file.";
    return "";
  }
}
