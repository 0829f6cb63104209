"""mlp_vae_family: fully connected variational autoencoders of images."""

from taskset.registry import Config, Facts, register_facts, register_sampler
from taskset.samplers import data, parts, schemas, shapes
from taskset.samplers.draws import Draws

SCHEMA = schemas.fields(
    enc_hidden_units=schemas.HIDDEN_SIZES,
    dec_hidden_units=schemas.SIZES,
    activation=schemas.ACTIVATION,
    w_init=schemas.INITIALIZER,
    dataset=schemas.IMAGE_DATASET,
)


@register_sampler("mlp_vae_family", schema=SCHEMA)
def sample(seed: int) -> Config:
    """The last of the encoder's sizes is the number of latents."""
    draw = Draws(seed)
    return {
        "enc_hidden_units": draw.log_ints(draw.choice(1, 2, 3, 4), 32, 128),
        "dec_hidden_units": draw.log_ints(draw.choice(1, 2, 3), 32, 128),
        "activation": parts.activation(draw),
        "w_init": parts.initializer(draw),
        "dataset": parts.image_dataset(draw),
    }


@register_facts("mlp_vae_family")
def facts(config: Config) -> Facts:
    """Encoder to mean and log stddev of the latents, decoder to mean and log stddev of the pixels."""
    images = data.image_data(config["dataset"])
    pixels = shapes.pixels(images.image_shape)
    *encoder, latents = config["enc_hidden_units"]
    parameters = {
        **shapes.mlp("encoder", pixels, [*encoder, 2 * latents]),
        **shapes.mlp("decoder", latents, [*config["dec_hidden_units"], 2 * pixels]),
    }
    return Facts(images, parameters, images.infeasible)
