// Waiting for what real processes do: asked again at every event, given up after a silence, or when
// events that lead nowhere never end. And the one thing that no event tells: when to kill.

export class Watch {
  #asked: () => void = () => {};

  /** Something has happened. */
  tell(): void {
    this.#asked();
  }

  /** True as soon as `holds` does; false when nothing has happened for so long, or all too much. */
  async until(holds: () => boolean, silenceMs: number, totalMs = 10 * silenceMs): Promise<boolean> {
    if (holds()) return true;
    return new Promise(resolve => {
      const settle = (held: boolean) => {
        clearTimeout(timer);
        clearTimeout(limit);
        this.#asked = () => {};
        resolve(held);
      };
      const patience = () => setTimeout(settle, silenceMs, false);
      const limit = setTimeout(settle, totalMs, false);
      let timer = patience();
      this.#asked = () => {
        clearTimeout(timer);
        if (holds()) settle(true);
        else timer = patience();
      };
    });
  }
}

/** A moment that nothing marks. */
export function moment(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms));
}
