"""What happens in a step of training, and how it is executed: the trainer, and what it is made of."""
