"""The sentiment model: T5 encoder, gate and head; its data, tokenizer and training."""
