"""DATA: architectures whose config is one, and where it says how many layers they have.

Taken from the configuration classes of transformers 5.23: those without sub-configurations, and
what each calls its number of layers. A loader of these reads the top level of config.json alone, so
whatever else the file holds must not be believed.
"""

from __future__ import annotations

from collections.abc import Mapping

# (key of the number of layers, key of the decoder's where that is another) → architectures.
_BY_KEYS: Mapping[tuple[str, str], str] = {
    ("num_hidden_layers", ""): (
        "afmoe aimv2_text_model aimv2_vision_model albert align_text_model align_vision_model "
        "altclip_text_model altclip_vision_model apertus arcee aria_text "
        "audio-spectrogram-transformer audioflamingo3_encoder axk1 axk2 bailing_hybrid bamba "
        "beam beit bert bert-generation big_bird biogpt bitnet blip_2_qformer "
        "blip_2_vision_model blip_text_model blip_vision_model blt_global_transformer "
        "blt_local_decoder blt_local_encoder blt_patcher bridgetower_text_model "
        "bridgetower_vision_model bros camembert canary_decoder canine "
        "chinese_clip_text_model chinese_clip_vision_model clap_audio_model clap_text_model "
        "clip_text_model clip_vision_model clipseg_text_model clipseg_vision_model "
        "clvp_decoder clvp_encoder cohere cohere2 cohere2_moe cohere_compass_text convbert "
        "cosmos3_edge_text cosmos3_edge_vision cpmant csm_depth_decoder_model cwm "
        "data2vec-audio data2vec-text data2vec-vision deberta deberta-v2 "
        "deepseek_ocr2_encoder deepseek_ocr2_sam_vision_model deepseek_ocr2_text deepseek_v2 "
        "deepseek_v3 deepseek_v32 deepseek_v4 deit dia_decoder dia_encoder diffllama "
        "diffusion_gemma_text dinov2 dinov2_with_registers dinov3_vit doge dots1 "
        "dots3_note_audio_encoder dots3_note_text dots3_note_vision_encoder dpr "
        "edgetam_mask_decoder edgetam_video_mask_decoder efficientnet electra "
        "embedding_gemma2_text emu3_text_model eomt eomt_dinov3 ernie ernie4_5 ernie4_5_moe "
        "ernie4_5_vl_moe_text esmc eurobert exaone4 exaone_moe falcon falcon_h1 falcon_mamba "
        "flava_image_model flava_multimodal_model flava_text_model flex_olmo flint fnet "
        "fun_asr_nano_encoder gemma gemma2 gemma3_text gemma3n_text gemma4_audio gemma4_text "
        "gemma4_unified_text gemma4_vision git_vision_model glm glm4 glm4_moe glm4_moe_lite "
        "glm4v_moe_text glm4v_text glm5_next_text glm_image_text glm_moe_dsa glm_ocr_text "
        "glmasr_encoder got_ocr2_vision gpt_neox gpt_neox_japanese gpt_oss granite "
        "granite4_vision_text granite_docling_text granite_docling_vision "
        "granite_speech5_encoder granite_swa granitemoe granitemoe_swa granitemoehybrid "
        "granitemoeshared groupvit_text_model groupvit_vision_model gte helium higgs_audio_v2 "
        "hrm_text hubert hunyuan_v1_dense hunyuan_v1_moe hunyuan_vl_text hunyuan_vl_vision "
        "hy_v3 hy_v4 hyperclovax ibert idefics2_vision idefics3_vision idefics_vision ijepa "
        "inkling2_text inkling2_vision inkling_text instructblip_qformer "
        "instructblip_vision_model instructblipvideo_qformer instructblipvideo_vision_model "
        "internlm3 internvl_vision iquestcoder jais2 jamba janus_vision_model janus_vqgan "
        "jetmoe jina_embeddings_v3 kimi_k25_vision kimi_linear kolibri1 "
        "kosmos_2_5_vision_model kosmos_2_vision_model laguna lasr_encoder layoutlm "
        "layoutlmv2 layoutlmv3 layoutxlm lfm2 lfm2_moe lfm3 lfm3_vl_vision lilt llama "
        "llama4_text llama4_vision_model longformer luke lw_detr_vit lxmert "
        "mamba mamba2 markuplm megatron-bert mellum metaclip_2_text_model "
        "metaclip_2_vision_model mgp-str mimi mimi_decoder mimi_encoder mimo_v2_flash "
        "minicpm3 minicpm_ocr_vision minicpmv4_6_vision minicpmv4_7_vision minimax minimax_m2 "
        "minimax_m3_vl_text minimax_m3_vl_vision ministral ministral3 mistral mistral4 "
        "mistral_large4_text mixtral mlcd mlcd_vision_model mllama_text_model "
        "mllama_vision_model mobilebert modernbert modernbert-decoder molmo2_text "
        "molmo2_vision moonshine_streaming_encoder moshi_depth moss_transcribe_diarize_audio "
        "mpnet mra muse_glimmer_assistant muse_glimmer_text muse_glimmer_vision "
        "muse_spark_audio muse_spark_text muse_spark_vision musicgen_decoder "
        "musicgen_melody_decoder nanochat nemotron nemotron3_5_transcribe_asr_audio "
        "nemotron3_5_transcribe_word_timestamp nemotron3_diarization_audio "
        "nemotron_asr_streaming_encoder neomme nomic_bert nystromformer olmo olmo2 "
        "olmo3 olmo_hybrid olmoe openai_privacy_filter opt ovis2_vision owlv2_text_model "
        "owlv2_vision_model owlvit_text_model owlvit_vision_model paddleocr_vl_text "
        "paddleocr_vl_vision parakeet_encoder patchtst persimmon phi phi3 "
        "phi4_multimodal_vision phimoe pix2struct_vision_model pixio pixtral "
        "pocket_tts_audio_tokenizer pocket_tts_audio_tokenizer_decoder "
        "pocket_tts_audio_tokenizer_encoder pp_chart2table_vision pp_formulanet_vision "
        "qianfan_ocr_vision qwen2 qwen2_5_omni_dit qwen2_5_omni_talker qwen2_5_omni_text "
        "qwen2_5_vl_text qwen2_moe qwen2_vl_text qwen3 qwen3_5_moe_text qwen3_5_text "
        "qwen3_moe qwen3_next qwen3_omni_moe_talker_code_predictor qwen3_omni_moe_talker_text "
        "qwen3_omni_moe_text qwen3_vl_moe_text qwen3_vl_text qwen4_exp_text radio "
        "recurrent_gemma reformer rembert rf_detr_dinov2 roberta roberta-prelayernorm "
        "roc_bert roformer rwkv sam2_mask_decoder sam2_video_mask_decoder "
        "sam3_lite_text_text_model sam3_tracker_mask_decoder sam3_tracker_video_mask_decoder "
        "sam3_vit_model sam_hq_mask_decoder sam_hq_vision_model sam_mask_decoder "
        "sam_vision_model seed_oss seggpt sew sew-d siglip2_text_model siglip2_vision_model "
        "siglip_text_model siglip_vision_model slanext_vision smollm3 smolvlm_vision "
        "solar_open splinter squeezebert stablelm starcoder2 step3p5 step3p5_vision "
        "t5_gemma_module t5gemma2_decoder t5gemma2_text tapas timesfm timesfm2_5 timesformer "
        "tipsv2_text_model tipsv2_vision_model ultrabert unispeech unispeech-sat "
        "unlimited_ocr_sam_vision_model unlimited_ocr_text unlimited_ocr_vision_encoder "
        "vaultgemma vibevoice_diffusion video_llama_3_vision videomae videomt "
        "videoprism_text_model vilt visual_bert vit vit_mae vit_msn vitdet vitpose_backbone "
        "vits vivit vjepa2 voxtral_encoder voxtral_realtime_encoder voxtral_realtime_text "
        "wav2vec2 wav2vec2-bert wav2vec2-conformer wavlm xclip_text_model xclip_vision_model "
        "xlm-roberta xlm-roberta-xl xlstm xmod yolos yoso youtu zamba zamba2 zaya "
    ),
    ("encoder_layers", "decoder_layers"): (
        "autoformer bart bigbird_pegasus blenderbot blenderbot-small fastspeech2_conformer "
        "fsmt informer led m2m_100 marian mbart mvp nllb-moe pegasus pegasus_x plbart "
        "pp_formulanet_text speech_to_text speecht5 time_series_transformer whisper "
    ),
    ("depth", ""): (
        "cohere_compass_vision ernie4_5_vl_moe_vision exaone4_5_vision glm4v_moe_vision "
        "glm4v_vision glm5_next_vision glm_image_vision glm_ocr_vision "
        "qwen2_5_omni_vision_encoder qwen2_5_vl_vision qwen2_vl_vision qwen3_5_moe_vision "
        "qwen3_5_vision qwen3_omni_moe_vision_encoder qwen3_vl_moe_vision qwen3_vl_vision "
        "qwen4_exp_vision "
    ),
    ("num_layers", ""): (
        "longcat_flash "
        "dinat donut-swin gpt_neo granite_speech_encoder granite_speech_plus_encoder "
        "patchtsmixer pix2struct_text_model sam3_detr_decoder sam3_detr_encoder "
        "sam3_lite_text_detr_decoder sam3_lite_text_detr_encoder swin swin2sr swinv2 xglm "
    ),
    ("n_layer", ""): (
        "bloom codegen ctrl decision_transformer gpt-sw3 gpt2 gpt_bigcode gptj imagegpt "
        "openai-gpt xlnet "
    ),
    ("num_layers", "num_decoder_layers"): (
        "longt5 mt5 pop2piano switch_transformers t5 udop umt5 "
    ),
    ("encoder_layers", ""): (
        "qwen2_5_omni_audio_encoder qwen2_audio_encoder qwen3_asr_encoder "
        "qwen3_omni_moe_audio_encoder "
    ),
    ("n_layers", ""): ("distilbert flaubert inkling_vision xlm "),
    ("decoder_layers", "decoder_layers"): ("seamless_m4t seamless_m4t_v2 trocr "),
    ("layers", ""): ("kosmos_2_5_text_model kosmos_2_text_model "),
    ("num_hidden_layers", "num_decoder_layers"): (""),
    ("num_stages", ""): ("convnext convnextv2 "),
    ("decoder_num_hidden_layers", ""): ("moonshine "),
    ("num_encoder_blocks", ""): ("segformer "),
    ("num_encoder_layers", "num_decoder_layers"): "prophetnet",
    ("", ""): "funnel nemotron_h",  # counted by lists: a count, where there is one, is believed
}
LAYER_KEYS: Mapping[str, tuple[str, str]] = {
    name: keys for keys, names in _BY_KEYS.items() for name in names.split()
}
