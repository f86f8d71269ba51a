// Questions that are under way to an engine. One that has stopped answers none any more: who still
// waits, or asks from then on, is told so.

import type { Answer, Question } from './questions.ts';

const STOPPED: Answer = { ok: false, code: 'stopped', message: 'the broker is stopping' };

export interface Asked {
  ask(question: Question, done: (answer: Answer) => void): void;
}

export class Asking {
  private readonly engine: Asked;
  private readonly waiting = new Set<(answer: Answer) => void>();
  private ended = false;

  constructor(engine: Asked) {
    this.engine = engine;
  }

  /** Resolves in any case. */
  readonly ask = (question: Question): Promise<Answer> =>
    new Promise(resolve => {
      if (this.ended) {
        resolve(STOPPED);
        return;
      }
      const settle = (answer: Answer) => {
        this.waiting.delete(settle);
        resolve(answer);
      };
      this.waiting.add(settle);
      this.engine.ask(question, settle);
    });

  /** The engine has stopped. */
  end(): void {
    this.ended = true;
    for (const settle of this.waiting) settle(STOPPED);
  }
}
