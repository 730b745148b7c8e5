/** Counts responses between the end of the warm-up and the end of a run. */
import { cpuMs } from '../process-tree.mjs';
import { Latencies } from './latencies.mjs';

export class Meter {
  #latencies = new Latencies();
  #warmUntil;
  #until;
  #began = 0;
  #cpu;
  #peerCpu;
  #pid;
  #bytesPerAnswer;

  /** @param pid the program under test */
  constructor({ warmupMs, measureMs, pid }, bytesPerAnswer) {
    this.#warmUntil = performance.now() + warmupMs;
    this.#until = this.#warmUntil + measureMs;
    this.#pid = pid;
    this.#bytesPerAnswer = bytesPerAnswer;
  }

  /** Records the response to a request that was sent at `sentAt`. True: send the next one. */
  answered(sentAt) {
    const at = performance.now();
    if (this.#began > 0) {
      if (at >= this.#until) return false;
      this.#latencies.add(at - sentAt);
    } else if (at >= this.#warmUntil) {
      this.#began = at;
      this.#cpu = process.cpuUsage();
      this.#peerCpu = cpuMs(this.#pid);
    }
    return true;
  }

  /** Call it with the first response after the end. */
  result() {
    const ms = performance.now() - this.#began;
    const { user, system } = process.cpuUsage(this.#cpu);
    const peerCpu = cpuMs(this.#pid);
    const { count } = this.#latencies;
    const [p50, p99] = this.#latencies.quantiles(0.5, 0.99);
    return {
      perSecond: (count / ms) * 1000,
      bytesPerSecond: (count / ms) * 1000 * this.#bytesPerAnswer,
      p50,
      p99,
      answered: count,
      /** Share of one core that the generator used. */
      generatorCpu: (user + system) / 1000 / ms,
      /** Processor time of the program per response, µs. */
      peerCpuPerAnswer:
        peerCpu === undefined || count === 0 ? null : ((peerCpu - this.#peerCpu) * 1000) / count,
    };
  }
}
