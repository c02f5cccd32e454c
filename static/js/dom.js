// Typed shortcuts for the DOM calls that every module makes.

/**
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export const find = (selector) => document.querySelector(selector);

/**
 * @param {string} selector
 * @returns {HTMLElement[]}
 */
export const findAll = (selector) => Array.from(document.querySelectorAll(selector));

/**
 * The event's element, or its nearest ancestor, that matches the selector.
 *
 * @param {Event} event
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export const closest = (event, selector) => (event.target instanceof Element ? event.target.closest(selector) : null);

/**
 * Whether the event's own element matches the selector.
 *
 * @param {Event} event
 * @param {string} selector
 */
export const matches = (event, selector) => event.target instanceof Element && event.target.matches(selector);

/**
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Partial<HTMLElementTagNameMap[Tag]>} properties
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export const create = (tag, properties = {}) => Object.assign(document.createElement(tag), properties);
