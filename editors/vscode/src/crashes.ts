// SPDX-License-Identifier: Apache-2.0
// How often a daemon that dies is started again: five times in three minutes, then a person decides.
// The language client opens all documents again after a restart.

export const CRASHES_MAX = 5;
export const WINDOW_MS = 3 * 60 * 1000;

export class CrashBudget {
  private times: number[] = [];

  /** Counts a crash at `now` (ms) and says whether the daemon may be started again. */
  crashed(now: number): boolean {
    this.times = this.times.filter((t) => now - t < WINDOW_MS);
    this.times.push(now);
    return this.times.length <= CRASHES_MAX;
  }

  reset(): void {
    this.times = [];
  }
}
