// The parts of htmx 2 that static/js uses; the page loads htmx as a classic script before the modules.

interface HtmxSwap {
  swapStyle: "innerHTML" | "outerHTML" | "none";
  swapDelay: number;
  settleDelay: number;
}

interface HtmxSwapOptions {
  select?: string;
  selectOOB?: string;
}

interface HtmxAjaxContext {
  source?: string;
  target?: string;
  swap?: HtmxSwap["swapStyle"];
}

interface HtmxRequest {
  requestConfig: { triggeringEvent?: Event; path: string };
}

declare const htmx: {
  swap(target: string, html: string, swap: HtmxSwap, options?: HtmxSwapOptions): void;
  ajax(verb: "GET" | "POST", url: string, context: HtmxAjaxContext): Promise<void>;
};

interface DocumentEventMap {
  "htmx:afterSettle": CustomEvent;
  "htmx:afterSwap": CustomEvent;
  "htmx:historyRestore": CustomEvent;
  "htmx:afterRequest": CustomEvent<HtmxRequest>;
  "htmx:sendError": CustomEvent<HtmxRequest>;
}
