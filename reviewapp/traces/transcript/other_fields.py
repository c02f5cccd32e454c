"""Fields of a message that no reader knows: shown as a small block of JSON, so that nothing said is lost."""

import re
from collections.abc import Collection
from typing import Any

from reviewapp.traces.transcript import parts
from reviewapp.traces.transcript.parts import Part

# Names, counts and settings that say nothing: a reviewer finds them on the Raw tab.
_BOOKKEEPING = frozenset(
    """id ids uuid type role object created created_at createdAt timestamp index status state model model_id modelId
    model_name modelVersion model_version provider response_id responseId generation_id request_id requestId
    system_fingerprint service_tier usage usage_metadata usageMetadata models_usage token_usage tokenCount token_count
    avgLogprobs logprobs logprobsResult logprobs_result tokens top_logprobs cache_control cachePoint cache_point
    signature thoughtSignature thought_signature encrypted_content encryptedContent redactedContent
    providerMetadata provider_metadata providerOptions provider_options callProviderMetadata providerExecuted
    experimental_providerMetadata lc kwargs_type example dynamic step stepCount native_finish_reason stop_sequence
    metrics performanceMetrics ResponseMetadata response_metadata generation_info tool_call_chunks done
    total_duration load_duration prompt_eval_count prompt_eval_duration eval_count eval_duration
    container context_management phase item_id output_index content_index sequence_number event_id
    stream stream_options temperature top_p topP top_k topK max_tokens maxTokens max_completion_tokens
    max_output_tokens maxOutputTokens n seed stop stop_sequences frequency_penalty presence_penalty response_format
    tools tool_choice toolChoice parallel_tool_calls store text_format truncation user previous_response_id
    reasoning_effort modality detail
        generationConfig generation_config safetySettings safety_settings toolConfig tool_config inferenceConfig
    additionalModelRequestFields anthropic_version api_version extra_headers extra_body extra_query timeout
    config sdkHttpResponse sdk_http_response createTime create_time automatic_function_calling_history parsed
    expires_at block_type content_type ModelId InnerContent inner_content ai_model_id encoding Encoding""".split()
)
# Ratings say something only where they blocked something.
_RATED = re.compile('"(?:blocked|filtered)": true')
_RATINGS = ("safetyRatings", "safety_ratings", "content_filter_results", "prompt_filter_results")


def read(fields: dict[str, Any], known_keys: Collection[str]) -> list[Part]:
    """Return a part with the fields that are neither known nor bookkeeping nor empty; none if all are."""
    others = {
        key: value
        for key, value in fields.items()
        if key not in known_keys and key not in _BOOKKEEPING and not _is_empty(value)
    }
    for key in _RATINGS:
        if key in others and not _RATED.search(parts.json_text(others[key])):
            del others[key]
    return [parts.make("extra", parts.json_text(others))] if others else []


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or value == [] or value == {}
